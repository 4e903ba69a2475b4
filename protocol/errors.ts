/** What the table says of one error code. */
interface ErrorRow {
  /** The exit code of `hush` when a command ends with this error. */
  readonly exit: number;
  /** What happened, in one sentence, where the place that fails has nothing more precise to say. */
  readonly message: string;
  /** The next thing to type or to do; empty where the message already says it. */
  readonly hint: string;
}

/** Every error that a client of hushd can meet, on the wire or before it. */
export const errorTable = {
  UNAVAILABLE: { exit: 1, message: 'the request could not be carried out', hint: 'hush doctor' },
  UNSUPPORTED_VERSION: {
    exit: 1,
    message: 'client and daemon speak no protocol version in common',
    hint: 'install the same release of hushd on both sides',
  },
  LIMIT_EXCEEDED: {
    exit: 1,
    message: 'a limit of the daemon was passed',
    hint: 'see [limits] in config.toml',
  },
  BAD_REQUEST: { exit: 2, message: 'the request is not well formed', hint: 'hush help' },
  INVALID_NAME: {
    exit: 2,
    message: 'that is not a name',
    hint: 'a path is <scope>/<name>: scope global, ws:<id> or pr:<id>; name 1-128 of A-Z a-z 0-9 . _ -',
  },
  TOO_LARGE: { exit: 2, message: 'that is larger than the limit', hint: 'see [limits] in config.toml' },
  UNREACHABLE: { exit: 3, message: 'no daemon answers on the socket', hint: 'hush start' },
  DEADLINE: { exit: 3, message: 'the daemon did not answer in time', hint: 'hush status' },
  LOCKED: { exit: 4, message: 'the profile is locked', hint: 'hush unlock' },
  PROFILE_INACTIVE: {
    exit: 4,
    message: 'the profile is deactivated',
    hint: 'hush profile activate NAME',
  },
  UNIDENTIFIED: {
    exit: 5,
    message: 'the daemon cannot tell who is asking',
    hint: 'connect as a user of this host, or list the client in config.toml',
  },
  ACCESS_DENIED: {
    exit: 5,
    message: 'the access rules do not allow this',
    hint: 'ask the operator for a grant in config.toml',
  },
  APPROVAL_PENDING: { exit: 5, message: 'an operator must approve this first', hint: 'hush approve ID' },
  APPROVAL_DENIED: { exit: 5, message: 'an operator refused this', hint: 'ask the operator' },
  NOT_FOUND: { exit: 6, message: 'there is no such secret', hint: 'hush list' },
  NO_SUCH_PROFILE: { exit: 6, message: 'there is no such profile', hint: 'hush init' },
  RATE_LIMITED: { exit: 7, message: 'too many requests', hint: 'wait, then try again' },
  BACKOFF: { exit: 7, message: 'too many wrong passphrases', hint: 'wait, then try again' },
  INTEGRITY: {
    exit: 8,
    message: 'stored data was tampered with',
    hint: 'hush doctor, then restore from a backup',
  },
  DAMAGED: { exit: 8, message: 'a file is damaged', hint: 'hush doctor, then restore from a backup' },
  ROLLBACK: {
    exit: 8,
    message: 'an older state was put back over a newer one',
    hint: 'hush unlock --accept-rollback ID, if you did this on purpose',
  },
  WRONG_PASSPHRASE: {
    exit: 9,
    message: 'the passphrase does not open this profile',
    hint: 'type it again',
  },
  WRONG_KEY: {
    exit: 9,
    message: 'the key does not open this profile',
    hint: 'give the key that the profile was made with',
  },
  UNSAFE_MODE: { exit: 10, message: 'a file or folder can be reached by others', hint: 'hush doctor' },
  UNTRUSTED_LISTENER: {
    exit: 10,
    message: 'the process behind the socket belongs to someone else',
    hint: 'remove the socket, or set HUSH_DAEMON_UID if that user is meant to run the daemon',
  },
  NO_STABLE_KEY: {
    exit: 10,
    message: 'there is no stable key, and hushd never makes one up',
    hint:
      'give one of: a passphrase (hush unlock on a terminal, or --passphrase-stdin); ' +
      'HUSH_MASTER_KEY with 32 bytes in hex or base64; --key-file FILE or the systemd credential hushd-master-key',
  },
  EXISTS: { exit: 10, message: 'that exists already', hint: 'hush status' },
  CONFLICT: { exit: 10, message: 'someone else changed this meanwhile', hint: 'read it again, then retry' },
  EXPIRED: { exit: 10, message: 'the value has expired', hint: 'hush set a new one' },
  KEY_DESTROYED: { exit: 10, message: 'the key of this value was destroyed', hint: 'hush keys status' },
  FORBIDDEN_ENV: {
    exit: 10,
    message: 'that variable would change how programs load code',
    hint: 'map the secret to another variable',
  },
  NEWER_FORMAT: {
    exit: 10,
    message: 'this was written by a newer hushd',
    hint: 'install that release or a later one',
  },
} as const satisfies Record<string, ErrorRow>;

/** A code of the error table. */
export type ErrorCode = keyof typeof errorTable;

/** Facts that travel with an error besides its sentence. */
export interface ErrorDetails {
  readonly hint?: string;
  /** How long to wait before the same request may pass, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The limit that was passed, by its name in `hello`. */
  readonly limit?: string;
  /** The id of the request that waits for an approval. */
  readonly approval?: string;
}

/** What a peer is told of a failure: the shape of `error` in a reply. */
export interface ErrorReport extends ErrorDetails {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** Whether a string is a code of the error table. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

/** What every copy of the class below marks its errors with. */
const mark = Symbol.for('hushd.error');

/**
 * The one error of hushd: a code of the table, a sentence, and what to do next. It never holds a value. A process may
 * hold this class more than once, by two installations or by one that is partly bundled: an error of any is one of all.
 */
export class HushError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== HushError) return super[Symbol.hasInstance](value);
    return typeof value === 'object' && value !== null && mark in value;
  }

  static {
    // On the prototype, where whoever prints an error does not see it.
    Object.defineProperty(this.prototype, mark, { value: true });
  }

  override readonly name: string = 'HushError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retryAfterMs: number | undefined;
  readonly limit: string | undefined;
  readonly approval: string | undefined;

  constructor(code: ErrorCode, message?: string, details: ErrorDetails & ErrorOptions = {}) {
    super(message ?? errorTable[code].message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.hint = details.hint ?? errorTable[code].hint;
    this.retryAfterMs = details.retryAfterMs;
    this.limit = details.limit;
    this.approval = details.approval;
  }
}

/** The report of an error as it goes on the wire. */
export function reportOf(error: HushError): ErrorReport {
  return {
    code: error.code,
    message: error.message,
    hint: error.hint,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.limit === undefined ? {} : { limit: error.limit }),
    ...(error.approval === undefined ? {} : { approval: error.approval }),
  };
}

/** The error that a report describes; a code of a newer daemon becomes UNAVAILABLE with the code in its sentence. */
export function errorOf(report: { code: string; message: string } & ErrorDetails): HushError {
  const { code, message, ...details } = report;
  return isErrorCode(code)
    ? new HushError(code, message, details)
    : new HushError('UNAVAILABLE', `${code}: ${message}`, details);
}
