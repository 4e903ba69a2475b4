import { HushError } from '../protocol/errors.ts';
import { koffi } from './koffi.ts';
import { endThoughLogFails } from './standard-error.ts';

if (process.platform !== 'linux') {
  throw new HushError('UNAVAILABLE', `hushd runs on Linux only, this is ${process.platform}`, {
    hint: 'run it on a Linux host',
  });
}

/** The C library that this process runs on, opened once: the functions of `native/` are declared on it. */
export const libc = koffi.load(null);
endThoughLogFails();

/** The error numbers of Linux by name, such as `EAGAIN`. */
export const errorNumbers: Readonly<Record<string, number | undefined>> = koffi.os.errno;

/** The number that the last call of this thread into the C library left in `errno`. */
export const lastErrorNumber = (): number => koffi.errno();

/**
 * The error of a call that returned -1: UNAVAILABLE, named after the call and the number in `errno`.
 * Call it at once after the failed call.
 */
export function callFailed(call: string, errorNumber: number = lastErrorNumber()): HushError {
  const name = Object.entries(errorNumbers).find(([, value]) => value === errorNumber)?.[0];
  return new HushError('UNAVAILABLE', `the system refused ${call}: ${name ?? `error ${errorNumber}`}`);
}
