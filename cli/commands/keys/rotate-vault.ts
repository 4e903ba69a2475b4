import { setTimeout as delay } from 'node:timers/promises';
import type { ResultOf } from '../../../protocol/operations.ts';
import type { Session } from '../../commands.ts';
import { withDaemon, type Daemon } from '../../daemon.ts';
import { countText } from '../../format.ts';
import { ifInterrupted } from '../../interrupted.ts';
import { mayGoAhead } from '../../prompts.ts';
import { createStatusLine } from '../../status-line.ts';

/** A vault of any size is copied in this time; until then the daemon works on it. */
const deadlineMs = 24 * 3_600_000;
/** How often the daemon is asked how far it is. */
const pollMs = 200;

type Progress = ResultOf<'keys.vaultRotation'>;

const phaseTexts: Readonly<Record<NonNullable<Progress['phase']>, string>> = {
  copy: 'copied into the new file',
  check: 'checked in the new file',
  switch: 'going over to the new file',
};

/** What of the options a rotation of the vault key obeys. */
interface RotateVaultOptions {
  readonly yes?: true;
  readonly wait: boolean;
}

/** `hush keys rotate --vault`: another vault key, under which vault and key set are written anew. */
export async function rotateVault(
  profile: string,
  { yes, wait }: RotateVaultOptions,
  { output, finish }: Session,
): Promise<void> {
  if (!(await mayGoAhead(`Write the vault of profile ${profile} anew under another key?`, yes))) {
    finish(1);
    return output.note('the vault key stays as it is');
  }
  const status = createStatusLine(!output.json);
  const show = async ({ phase, done = 0, total = 0 }: Progress): Promise<void> => {
    if (phase === undefined) return;
    if (output.json) await output.facts({ phase, done, total }, []);
    else status.show(() => `${done} of ${countText(total, 'secret')} ${phaseTexts[phase]}`);
  };
  const told = await withDaemon(async (daemon) => {
    const rotation = daemon.call('keys.rotateVault', { profile }, { deadlineMs });
    if (!wait) return Promise.race([rotation, underWay(daemon, profile)]);
    const leave = (): void => {
      status.clear();
      void output.note(goesOnText);
    };
    return ifInterrupted(leave, async () => {
      await followed(daemon, profile, rotation, show);
      return rotation;
    }).finally(status.clear);
  });
  if (told === undefined) {
    await output.facts({ profile, underWay: true }, [
      `the vault of profile ${profile} is being written anew`,
    ]);
    return output.note(goesOnText);
  }
  await output.facts({ profile, ...told }, [
    `profile ${profile} has another vault key: ${countText(told.secrets, 'secret')} in ${told.files.vault}`,
  ]);
  await output.note(
    'copies of the files from before still open with what opened them then: backups, other hosts',
  );
  if (!told.removed)
    await output.note('the files from before could not be removed; the next hush unlock does it');
}

const goesOnText = 'the rotation goes on in the daemon: hush keys status tells how far it is';

/** Resolves once the daemon is at a rotation. Where the daemon does not answer, it never does. */
async function underWay(daemon: Daemon, profile: string): Promise<undefined> {
  for (;;) {
    const progress = await daemon.call('keys.vaultRotation', { profile });
    if (progress.underWay) return;
    await delay(pollMs);
  }
}

/** Asks how far the rotation is until it has ended, in whatever way. */
async function followed(
  daemon: Daemon,
  profile: string,
  rotation: Promise<unknown>,
  show: (progress: Progress) => Promise<void>,
): Promise<void> {
  const ended = rotation.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([ended, delay(pollMs, false)]))) {
    const progress = await daemon.call('keys.vaultRotation', { profile }).catch(() => undefined);
    // Whatever keeps the daemon from answering ends the rotation too, and that error is the one to tell.
    if (progress === undefined) return;
    await show(progress);
  }
}
