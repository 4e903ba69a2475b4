import { destination, pino } from 'pino';
import { asciiJson } from './audit/records.ts';

/** Where the daemon's log lines go. */
export interface Logger {
  info(fields: object): void;
  warn(fields: object): void;
  error(fields: object): void;
}

/**
 * A log of JSON lines on standard error, ASCII only, each written before the call returns. Fields are facts of requests
 * (operation, client, code), never values: what holds one is never handed to a logger.
 */
export function createLogger(): Logger {
  const standardError = destination({ fd: 2, sync: true });
  return pino(
    { base: { pid: process.pid }, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    {
      write: (line) => {
        standardError.write(asciiJson(line));
      },
    },
  );
}
