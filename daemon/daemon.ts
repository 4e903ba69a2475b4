import { flushCompileCache } from 'node:module';
import { takeActivatedSocket } from '../native/activation.ts';
import { boundPath } from '../native/unix-address.ts';
import { HushError, reportOf } from '../protocol/errors.ts';
import { parseDaemonArguments, usage, type DaemonArguments } from './arguments.ts';
import { createConfigs, type Configs } from './configs.ts';
import { reportFailure } from './failure.ts';
import { harden } from './hardening.ts';
import { checkHome } from './home/inspection.ts';
import { pathsOf } from './home/paths.ts';
import { checkDirectory, unsafeError } from './home/safety.ts';
import { takeInstanceLock } from './lock.ts';
import { createLogger, type Logger } from './log.ts';
import { findMasterKey, type FoundMasterKey } from './master-key.ts';
import { collectGarbage } from './memory/collect.ts';
import { createSecureArena } from './memory/secure-bytes.ts';
import { notifyServiceManager } from './notify.ts';
import { readRelease } from './release.ts';
import { startServing, type Serving } from './serving.ts';

/** What an unlock at the start came to, as `hush start` is told. */
interface StartUnlock {
  readonly profile: string;
  readonly outcome: 'unlocked' | 'failed';
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
}

/** Runs the daemon until it is told to stop; the exit code says how it ended. Called in the process that serves. */
export async function runDaemon(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  try {
    const options = parseDaemonArguments(argv, env);
    if (options.help) process.stdout.write(usage);
    else if (options.version) process.stdout.write(`hushd ${readRelease()}\n`);
    else await run(options, env);
  } catch (error) {
    process.exitCode = reportFailure(error);
  }
}

/** Harden, config, home, single instance, audit, listen; then wait for the end, and undo it in reverse. */
async function run(options: DaemonArguments, env: NodeJS.ProcessEnv): Promise<void> {
  const arena = createSecureArena();
  const hardening = harden(arena.kind);
  const log = createLogger();
  const masterKey = findMasterKey({ keyFile: options.keyFile, env }, arena);
  const paths = pathsOf(env);
  const activated = takeActivatedSocket(env, 'hushd');
  if (activated !== undefined) noteActivation(activated, paths.socket, log);
  const problems = checkHome(paths).filter(({ profile }) => profile === undefined);
  if (problems.length > 0) throw unsafeError(problems);
  const configs = createConfigs(paths.config);
  for (const folder of paths.ownFolders) checkDirectory(folder);
  const lock = takeInstanceLock(paths.lock);
  try {
    const told = toldToStop();
    const serving = await startServing({
      paths,
      configs,
      arena,
      hardening,
      log,
      activated,
      ttlSeconds: options.ttlSeconds,
      stop: told.stop,
    });
    try {
      const unlock = await unlockAtStart(serving, masterKey, env, log);
      onReload(configs, serving, env, log);
      process.on('SIGUSR2', serving.lockAll);
      // What loading left behind is 20 MB of the resident memory, for as long as the daemon lives.
      collectGarbage();
      announce(unlock, env, log);
      // A daemon that is killed keeps nothing of what was compiled for it.
      flushCompileCache();
      const reason = await told.reason;
      notify(env, log, 'stopping');
      log.info({ event: 'daemon.stop', reason });
    } finally {
      await serving.close();
    }
  } finally {
    masterKey?.key.wipe();
    arena.close();
    lock.release();
  }
}

/** Says where the daemon listens when a service manager decides it, and warns where clients may look elsewhere. */
function noteActivation(fd: number, expected: string, log: Logger): void {
  const path = boundPath(fd);
  if (path === expected) log.info({ event: 'activation', path });
  else log.warn({ event: 'activation', path, expected });
}

/** Resolves once a signal or an operator ends the daemon; a second signal changes nothing. */
function toldToStop(): { readonly reason: Promise<string>; readonly stop: (reason: string) => void } {
  const { promise, resolve } = Promise.withResolvers<string>();
  process.on('SIGTERM', resolve);
  process.on('SIGINT', resolve);
  return { reason: promise, stop: resolve };
}

/** Opens the profile HUSH_PROFILE with the key that needs no person, once; the key is wiped whatever comes of it. */
async function unlockAtStart(
  serving: Serving,
  masterKey: FoundMasterKey | undefined,
  env: NodeJS.ProcessEnv,
  log: Logger,
): Promise<StartUnlock | undefined> {
  if (masterKey === undefined) return undefined;
  const profile = env['HUSH_PROFILE'] || 'default';
  try {
    await serving.unlockAtStart(profile, masterKey.key.bytes, masterKey.source);
    log.info({ event: 'unlock', profile, source: masterKey.source });
    return { profile, outcome: 'unlocked' };
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    const { code, message, hint } = reportOf(error);
    log.error({ event: 'unlock', profile, source: masterKey.source, code, message, hint });
    return { profile, outcome: 'failed', code, message, hint };
  } finally {
    masterKey.key.wipe();
  }
}

/** SIGHUP reads the config again; a bad one is refused, and the one in force stays. */
function onReload(configs: Configs, serving: Serving, env: NodeJS.ProcessEnv, log: Logger): void {
  process.on('SIGHUP', () => {
    notify(env, log, 'reloading');
    try {
      configs.reload();
      const { generation } = configs.inForce();
      log.info({ event: 'config.reload', generation });
      serving.note('config.reload', { generation });
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      log.error({ event: 'config.reload', ...reportOf(error) });
      serving.note('config.reload', {}, error.code);
    }
    notify(env, log, 'ready');
  });
}

/** Says that the daemon listens: to whoever started it, by one line on standard output, and to a service manager. */
function announce(unlock: StartUnlock | undefined, env: NodeJS.ProcessEnv, log: Logger): void {
  const line = { event: 'listening', pid: process.pid, ...(unlock === undefined ? {} : { unlock }) };
  process.stdout.on('error', () => {
    log.warn({ event: 'stdout.closed' });
  });
  process.stdout.write(`${JSON.stringify(line)}\n`);
  log.info({ event: 'listening' });
  notify(env, log, 'ready');
}

function notify(env: NodeJS.ProcessEnv, log: Logger, state: 'ready' | 'reloading' | 'stopping'): void {
  try {
    notifyServiceManager(env, state);
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    log.warn({ event: 'notify', message: error.message });
  }
}
