import { isUtf8 } from 'node:buffer';
import { HushError } from '../../protocol/errors.ts';

/** The kernel takes no more for one `NAME=value` with its closing NUL (MAX_ARG_STRLEN of Linux: 32 pages). */
const mostVariableBytes = 128 * 1024;

/** The value itself, with what buffers can do. */
export const bufferOf = (value: Uint8Array): Buffer =>
  Buffer.from(value.buffer, value.byteOffset, value.byteLength);

/** Whether the value is text: valid UTF-8. */
export const isText = (value: Uint8Array): boolean => isUtf8(value);

/** The text of a value that is valid UTF-8. */
export const textOfValue = (value: Uint8Array): string => bufferOf(value).toString('utf8');

/**
 * What keeps a value from being that of an environment variable, if anything does: a NUL, bytes that are not UTF-8
 * (Node passes variables on as text), or its size.
 */
export function environmentFault(variable: string, value: Uint8Array): HushError | undefined {
  if (value.includes(0)) return faultOf('it holds a NUL byte, which no variable can');
  if (!isText(value)) return faultOf('it is not valid UTF-8');
  if (variable.length + value.length + 2 > mostVariableBytes) {
    return new HushError('TOO_LARGE', `a variable holds at most ${mostVariableBytes} bytes with its name`, {
      hint: fileHint,
    });
  }
  return undefined;
}

const fileHint = 'give it as a file: hush inject -i TEMPLATE -o FILE';

/** The error for a value that a format cannot carry. */
export const faultOf = (message: string, hint = fileHint): HushError =>
  new HushError('BAD_REQUEST', message, { hint });
