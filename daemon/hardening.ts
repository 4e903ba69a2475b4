import { url as inspectorUrl } from 'node:inspector';

import { coreLimit, isDumpable, setCoreLimitZero, setNotDumpable } from '../native/process.ts';
import { bootstrapped, fixedFlags } from './bootstrap.ts';
import { isLoaderVariable } from './forbidden-env.ts';
import type { SecureArenaKind } from './memory/secure-bytes.ts';

/** One measure that protects the process, and whether this system allowed it. */
export interface HardeningMeasure {
  readonly name:
    | 'no-core-dump'
    | 'not-dumpable'
    | 'no-debugger-signal'
    | 'clean-environment'
    | 'clear-free-memory'
    | 'private-umask'
    | 'secret-memory';
  readonly state: 'on' | 'off';
  /** Why it is off. */
  readonly detail?: string;
}

/** Every measure, in a fixed order: none is left out because it failed. */
export type HardeningReport = readonly HardeningMeasure[];

/**
 * Protects the process as far as the system allows, and reports what holds: no core dump, no tracing by others, no
 * debugger by signal or flag, umask 0077. Call it first in the serving process. `memory` is the arena's kind.
 */
export function harden(memory: SecureArenaKind): HardeningReport {
  return [
    measure('no-core-dump', withoutCoreDump),
    measure('not-dumpable', notDumpable),
    measure('no-debugger-signal', withoutDebugger),
    measure('clean-environment', cleanEnvironment),
    measure('clear-free-memory', clearsFreeMemory),
    measure('private-umask', privateUmask),
    measure('secret-memory', () =>
      memory === 'memfd_secret'
        ? undefined
        : 'the kernel gave no memfd_secret: root can read keys out of memory',
    ),
  ];
}

/** Takes a measure that returns why it does not hold, or throws. */
function measure(name: HardeningMeasure['name'], take: () => string | undefined): HardeningMeasure {
  try {
    const detail = take();
    return detail === undefined ? { name, state: 'on' } : { name, state: 'off', detail };
  } catch (error) {
    return { name, state: 'off', detail: error instanceof Error ? error.message : String(error) };
  }
}

function withoutCoreDump(): string | undefined {
  setCoreLimitZero();
  const { soft, hard } = coreLimit();
  return soft === 0n && hard === 0n ? undefined : 'the limit on core files is not zero';
}

function notDumpable(): string | undefined {
  setNotDumpable();
  return isDumpable() ? 'other processes of this user can read its memory' : undefined;
}

function withoutDebugger(): string | undefined {
  const ignore = (): void => undefined;
  process.on('SIGUSR1', ignore);
  process.on('SIGUSR2', ignore);
  if (inspectorUrl() !== undefined) return 'a debugger is listening';
  return process.execArgv.includes('--disable-sigusr1') ? undefined : 'Node runs without --disable-sigusr1';
}

function cleanEnvironment(): string | undefined {
  const names = Object.keys(process.env).filter(
    (name) => isLoaderVariable(name) || name === 'HUSH_MASTER_KEY',
  );
  if (names.length > 0) return `set in it: ${names.join(', ')}`;
  return bootstrapped() ? undefined : 'the process was not started anew by hushd';
}

function clearsFreeMemory(): string | undefined {
  const missing = fixedFlags.filter((flag) => !process.execArgv.includes(flag));
  return missing.length === 0 ? undefined : `Node runs without ${missing.join(' ')}`;
}

function privateUmask(): undefined {
  process.umask(0o077);
}
