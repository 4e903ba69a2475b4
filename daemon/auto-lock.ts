import { operations } from '../protocol/operations.ts';
import { profileConfigOf, type Config } from './config/config.ts';
import type { GateCall } from './gates/gate.ts';
import type { LockReason } from './profiles/locking.ts';
import type { UnlockedProfile } from './profiles/profiles.ts';

/** Locks profiles by themselves, as `[profiles.P.autolock]` of the config in force says. */
export interface AutoLock {
  /** Says that an operation has ended well. Those that need the profile unlocked count as use of it, and no others. */
  used(call: Pick<GateCall, 'name' | 'profile'>): void;
  /** To be called once a second. */
  tick(): void;
}

interface AutoLockParts {
  readonly config: () => Config;
  readonly unlocked: () => Iterable<UnlockedProfile>;
  /** Must not throw. */
  readonly lock: (profile: string, reason: LockReason) => void;
  /** A clock in ms that stands still while the machine is suspended. */
  readonly clock: () => number;
  /** A clock in ms that goes on meanwhile. */
  readonly bootClock: () => number;
}

interface Use {
  /** Of the unlock that it belongs to. */
  readonly openedAt: number;
  usedAt: number;
}

/** Less than this between the two clocks is the time between reading one and the other. */
const shortestSuspendMs = 500;

/** The auto-lock of a daemon. Ages and idle times count suspended time; the wall clock plays no part. */
export function createAutoLock({ config, unlocked, lock, clock, bootClock }: AutoLockParts): AutoLock {
  const uses = new Map<string, Use>();
  const used = new Set<string>();
  let watched: ReadonlySet<string> = new Set();

  /** The most that the machine can have been suspended since boot, measured at the last tick. */
  let suspendedAtMost = Infinity;

  /** Now, and whether the machine was suspended since the last tick. */
  const measure = (): { readonly now: number; readonly wasSuspended: boolean } => {
    const before = clock();
    const now = bootClock();
    const wasSuspended = now - clock() > suspendedAtMost + shortestSuspendMs;
    suspendedAtMost = now - before;
    return { now, wasSuspended };
  };

  measure();

  const useOf = ({ name, openedAt }: UnlockedProfile): Use => {
    const known = uses.get(name);
    if (known?.openedAt === openedAt) return known;
    const use = { openedAt, usedAt: openedAt };
    uses.set(name, use);
    return use;
  };

  return {
    used({ name, profile }) {
      if (watched.size === 0 || profile === undefined || !watched.has(profile)) return;
      if (operations[name].gates.includes('lock')) used.add(profile);
    },
    tick() {
      const { now, wasSuspended } = measure();
      const stillWatched = new Set<string>();
      for (const profile of [...unlocked()]) {
        const { name, openedAt, busy } = profile;
        const {
          idleSeconds = Infinity,
          ageSeconds = Infinity,
          suspend,
        } = profileConfigOf(config(), name).autolock;
        const use = useOf(profile);
        // What came right after the machine woke up, and before this, does not undo the time that it slept.
        const isUsed = used.has(name) && !(wasSuspended && now - use.usedAt >= idleSeconds * 1000);
        if (isUsed || idleSeconds === Infinity) use.usedAt = now;
        if (wasSuspended && suspend) lock(name, 'suspend');
        else if (now - openedAt >= ageSeconds * 1000) lock(name, 'age');
        // A change of keys is work too, and is not cut off for want of other work.
        else if (now - use.usedAt >= idleSeconds * 1000 && !busy) lock(name, 'idle');
        else if (idleSeconds < Infinity) stillWatched.add(name);
      }
      used.clear();
      watched = stillWatched;
    },
  };
}
