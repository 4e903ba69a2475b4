import { HushError } from '../../protocol/errors.ts';

/** There is no key that would still be there tomorrow: NO_STABLE_KEY, with the ways out in its text. */
export class NoStableKeyError extends HushError {
  override readonly name = 'NoStableKeyError';

  /** `reason` is the first half of the sentence, `ways` says what gives a stable key. */
  constructor(reason: string, ways: string) {
    super('NO_STABLE_KEY', `${reason}; ${ways}`, { hint: 'hush keygen' });
  }
}

/** The three ways to a crypto provider whose key is stable. */
export const waysToAProvider =
  'there are three ways out: (1) run hushd, and set HUSH_SOCKET or HUSH_HOME, so that the keys stay in the daemon; ' +
  '(2) set OS_SECRET_KEY to 32 bytes in hex or base64, the same on every node and for ever (hush keygen prints some); ' +
  '(3) set OS_SECRET_KEY_FILE to a file that holds such a key already, with mode 0600';
