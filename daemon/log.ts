import { destination, pino } from 'pino';

/** Where the daemon's log lines go. */
export interface Logger {
  info(fields: object): void;
  warn(fields: object): void;
  error(fields: object): void;
}

/**
 * A log of JSON lines on standard error, each written before the call returns. Fields are facts of requests
 * (operation, client, code), never values: what holds one is never handed to a logger.
 */
export function createLogger(): Logger {
  return pino(
    { base: { pid: process.pid }, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    destination({ fd: 2, sync: true }),
  );
}
