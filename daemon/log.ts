import { pino } from 'pino';
import { asciiJson } from './audit/records.ts';
import { createLineWriter } from './line-writer.ts';

/** Where the daemon's log lines go. */
export interface Logger {
  info(fields: object): void;
  warn(fields: object): void;
  error(fields: object): void;
}

const standardError = 2;
const warning = 40;

/**
 * A log of JSON lines on standard error, ASCII only, each written before the call returns. Lines that cannot be written
 * are counted, and a `log.lost` line tells how many they were as soon as one can be. Fields are facts of requests
 * (operation, client, code), never values: what holds one is never handed to a logger.
 */
export function createLogger(): Logger {
  const { pid } = process;
  const write = createLineWriter(standardError, ({ lines, reason }) => {
    const time = new Date().toISOString();
    return `${JSON.stringify({ level: warning, time, pid, event: 'log.lost', lines, reason })}\n`;
  });
  return pino(
    { base: { pid }, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    {
      write: (line) => {
        write(asciiJson(line));
      },
    },
  );
}
