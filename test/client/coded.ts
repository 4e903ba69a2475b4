import assert from 'node:assert/strict';
import { HushError } from '../../protocol/errors.ts';
import type { ErrorCode } from '../../protocol/errors.ts';

/** What `assert.rejects` wants: that the error is one of hushd, with this code and a message like that. */
export function coded(code: ErrorCode, message = /./): (error: unknown) => true {
  return (error) => {
    assert(error instanceof HushError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}
