import { fstatSync } from 'node:fs';

/** Whether a descriptor is a terminal. What could tell at once is loaded only for what may be one: it takes its time. */
export function isTerminal(fd: number): boolean {
  try {
    if (!fstatSync(fd).isCharacterDevice()) return false;
  } catch {
    // It is not open.
    return false;
  }
  return process.getBuiltinModule('node:tty').isatty(fd);
}
