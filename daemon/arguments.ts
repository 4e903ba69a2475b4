import { parseArgs } from 'node:util';
import { HushError } from '../protocol/errors.ts';

/** What `hushd` was told on its command line and in its environment, besides where its home is. */
export interface DaemonArguments {
  readonly keyFile: string | undefined;
  /** Seconds that an opened value is kept; undefined: what the config says. */
  readonly ttlSeconds: number | undefined;
  readonly help: boolean;
  readonly version: boolean;
}

/** The text of `hushd --help`. */
export const usage = `usage: hushd [--key-file FILE] [--ttl SECONDS]

Serves the secrets of HUSH_HOME (or of the XDG folders) in the foreground.
  --key-file FILE   open the profile HUSH_PROFILE (else default) with the 32-byte key in FILE, once
  --ttl SECONDS     keep an opened value this long; 0 keeps none (also HUSH_SECRET_TTL, or [cache] ttl)
`;

/** The arguments. Throws BAD_REQUEST for what it does not know. */
export function parseDaemonArguments(argv: readonly string[], env: NodeJS.ProcessEnv): DaemonArguments {
  const { values } = readArguments(argv);
  const ttl = values.ttl ?? env['HUSH_SECRET_TTL'];
  return {
    keyFile: values['key-file'],
    ttlSeconds: ttl === undefined || ttl === '' ? undefined : parseTtl(ttl, values.ttl === undefined),
    help: values.help,
    version: values.version,
  };
}

function parseTtl(text: string, fromEnvironment: boolean): number {
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= 86_400) return seconds;
  const name = fromEnvironment ? 'HUSH_SECRET_TTL' : '--ttl';
  throw new HushError('BAD_REQUEST', `${name} must be a whole number of seconds from 0 to 86400`, {
    hint: `${name}${fromEnvironment ? '=' : ' '}300`,
  });
}

function readArguments(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        'key-file': { type: 'string' },
        ttl: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new HushError('BAD_REQUEST', error instanceof Error ? error.message : String(error), {
      hint: 'hushd --help',
      cause: error,
    });
  }
}
