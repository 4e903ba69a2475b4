import { withRunningDaemon, type Daemon } from '../daemon.ts';
import { listVersions, selectSecrets, type Selection } from './selection.ts';
import type { Used } from './variables.ts';

/** Tells whether what a child was given is still what there is. */
export interface Watch {
  /** Whether a used value has another version, is gone after it was listed, or a selected one has come. Reads no value. */
  changed(daemon: Daemon): Promise<boolean>;
}

/** A watch over values that were just read, and over what the selection would select. */
export function createWatch(used: readonly Used[], selection: Selection | undefined): Watch {
  const known = new Map(
    used.map(({ target, version }) => [keyOf(target.profile, target.path.text), version]),
  );
  /** What has been listed: what the caller may not list is not watched. */
  const listed = new Set<string>();
  return {
    async changed(daemon) {
      const now = await versionsNow(daemon, used, selection);
      const differs = [...now].some(([key, version]) => known.get(key) !== version);
      const gone = [...known.keys()].some((key) => listed.has(key) && !now.has(key));
      for (const key of now.keys()) listed.add(key);
      return differs || gone;
    },
  };
}

const keyOf = (profile: string, path: string): string => `${profile}/${path}`;

/** The versions of all that is used or selected, as far as the caller may list it. */
async function versionsNow(
  daemon: Daemon,
  used: readonly Used[],
  selection: Selection | undefined,
): Promise<Map<string, number>> {
  const scopes = new Map(
    used.map(({ target: { profile, path } }) => [keyOf(profile, path.scope), { profile, scope: path.scope }]),
  );
  if (selection !== undefined) {
    const { profile, scope } = selection;
    scopes.set(keyOf(profile, scope), { profile, scope });
  }
  const usedKeys = new Set(used.map(({ target }) => keyOf(target.profile, target.path.text)));
  const now = new Map<string, number>();
  for (const { profile, scope } of scopes.values()) {
    const versions = await listVersions(daemon, profile, scope);
    const isSelected =
      selection?.profile === profile && selection.scope === scope
        ? new Set(
            selectSecrets(
              selection,
              versions.map(([name]) => name),
            ).secrets.map(({ name }) => name),
          )
        : new Set<string>();
    for (const [name, version] of versions) {
      const key = keyOf(profile, `${scope}/${name}`);
      if (usedKeys.has(key) || isSelected.has(name)) now.set(key, version);
    }
  }
  return now;
}

/**
 * Asks every `seconds` until something has changed, and then resolves; never while the daemon cannot be asked. Ends
 * without an answer once `signal` is aborted.
 */
export async function untilChanged(
  watch: Watch,
  seconds: number,
  signal: AbortSignal,
  onTrouble: (error: unknown) => Promise<void>,
): Promise<boolean> {
  let troubled = false;
  for (;;) {
    await pause(seconds * 1000, signal);
    if (signal.aborted) return false;
    try {
      if (await withRunningDaemon((daemon) => watch.changed(daemon))) return true;
      troubled = false;
    } catch (error) {
      if (!troubled) await onTrouble(error);
      troubled = true;
    }
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}
