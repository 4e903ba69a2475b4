import { HushError } from '../../protocol/errors.ts';
import type { Daemon } from '../daemon.ts';
import type { Target } from '../target.ts';

/** A value that is in the vault. */
export interface Kept {
  readonly version: number;
  /** Whether the secret was not there before. */
  readonly created: boolean;
  /**
   * Makes the secret again what it was, because of `reason`, unless somebody has given it a newer version meanwhile;
   * gives the error to be told.
   */
  takeBack(reason: unknown): Promise<unknown>;
}

/**
 * Stores a value under a name that has none yet. Where it has the same value already, that is taken; where it has
 * another or an expired one, CONFLICT is thrown unless `force` is given. Throws what storing and reading it throw.
 */
export async function keepFor(
  daemon: Daemon,
  target: Target,
  value: Uint8Array<ArrayBuffer>,
  force: boolean,
): Promise<Kept> {
  try {
    const { version } = await daemon.call('secret.set', { ...target, value, ifVersion: 0 });
    return {
      version,
      created: true,
      takeBack: (reason) =>
        takenBack(reason, target, `hush delete ${target.path}`, () =>
          daemon.call('secret.delete', { ...target, ifVersion: version }),
        ),
    };
  } catch (error) {
    if (!(error instanceof HushError) || error.code !== 'CONFLICT') throw error;
  }
  const { same, hasExpired, version: before } = await compared(daemon, target, value);
  if (same && !hasExpired)
    return { version: before, created: false, takeBack: (reason) => Promise.resolve(reason) };
  if (!force) {
    throw new HushError(
      'CONFLICT',
      `${target.path} is there already, ${same ? 'but has expired' : 'with another value'}`,
      {
        hint: 'name another secret with --as, or give it this value as a new version with --force',
      },
    );
  }
  const { version } = await daemon.call('secret.set', { ...target, value, ifVersion: before });
  return {
    version,
    created: false,
    takeBack: (reason) =>
      takenBack(reason, target, `hush restore ${target.path} --version ${before}`, () =>
        daemon.call('secret.restore', { ...target, version: before, ifVersion: version }),
      ),
  };
}

/** Whether the secret has this value now, whether that has expired, and which version it is. */
async function compared(
  daemon: Daemon,
  target: Target,
  value: Uint8Array,
): Promise<{ readonly same: boolean; readonly hasExpired: boolean; readonly version: number }> {
  const {
    value: there,
    version,
    expiresAt,
  } = await daemon.call('secret.get', { ...target, allowExpired: true });
  try {
    const hasExpired = expiresAt !== undefined && Date.parse(expiresAt) <= Date.now();
    return { same: Buffer.compare(there, value) === 0, hasExpired, version };
  } finally {
    there.fill(0);
  }
}

async function takenBack(
  reason: unknown,
  { path }: Target,
  hint: string,
  undo: () => Promise<unknown>,
): Promise<unknown> {
  try {
    await undo();
    return reason;
  } catch (error) {
    const [first, second] = [reason, error].map((one) => (one instanceof Error ? one.message : String(one)));
    const code = reason instanceof HushError ? reason.code : 'UNAVAILABLE';
    const isNewer = error instanceof HushError && error.code === 'CONFLICT';
    const left = isNewer
      ? `${path} was changed meanwhile, and stays as it is`
      : `${path} keeps the value, for ${second ?? ''}`;
    return new HushError(code, `${first ?? ''}; and ${left}`, {
      hint: isNewer ? `hush history ${path}` : hint,
      cause: reason,
    });
  }
}
