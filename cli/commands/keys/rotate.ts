import { setTimeout as delay } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import { HushError, isErrorCode } from '../../../protocol/errors.ts';
import type { ResultOf } from '../../../protocol/operations.ts';
import type { Session } from '../../commands.ts';
import { withDaemon, type Daemon } from '../../daemon.ts';
import { countText } from '../../format.ts';
import { ifInterrupted } from '../../interrupted.ts';
import { keyringOption } from '../../keyring-option.ts';
import { progressText } from '../../progress-bar.ts';
import { mayGoAhead } from '../../prompts.ts';
import { createStatusLine } from '../../status-line.ts';
import { profileOf, type ProfileOption } from '../../target.ts';
import { rotateVault } from './rotate-vault.ts';

interface RotateOptions extends ProfileOption {
  readonly keyring?: string;
  readonly vault?: true;
  readonly wait: boolean;
  readonly yes?: true;
}

type Resealing = ResultOf<'keys.resealing'>;

/** How often the daemon is asked how far it is. */
const pollMs = 200;
/** What ends the waiting, and not the work: the daemon goes on once it can. */
const goesOn: ReadonlySet<string> = new Set(['LOCKED', 'UNREACHABLE', 'DEADLINE']);

/** `hush keys rotate`: a new key seals, and what is stored is sealed anew under it. */
export function defineRotate(keys: Command, session: Session): void {
  const { output, finish } = session;
  keys
    .command('rotate')
    .description('make a new key active, and seal every stored value anew under it')
    .option('--keyring <name>', "the keyring (the daemon's default one)", keyringOption)
    .addOption(new Option('--vault', 'the vault key instead: all files anew under it').conflicts('keyring'))
    .option('--no-wait', 'do not wait until all is sealed anew')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `
The daemon serves meanwhile, and goes on by itself: Ctrl-C ends the waiting and not the work. After a restart the
sealing anew goes on with the next unlock, and the old key only opens: see hush keys status. With --vault a restart
or a lock before the end leaves the vault key as it was.

Examples:
  hush keys rotate
  hush keys rotate --no-wait
  hush keys rotate --keyring mail --json
  hush keys rotate --vault`,
    )
    .action(async (options: RotateOptions) => {
      const profile = profileOf(options, process.env);
      if (options.vault === true) return rotateVault(profile, options, session);
      const { keyring } = options;
      if (!(await mayGoAhead(`Make a new key active in profile ${profile}?`, options.yes))) {
        finish(1);
        return output.note('the keys stay as they are');
      }
      await withDaemon(async (daemon) => {
        const facts = await daemon.call('keys.rotate', {
          profile,
          ...(keyring === undefined ? {} : { keyring }),
        });
        const told = `key ${facts.kmsKeyId} is active (${countText(facts.lines, 'line')} of keyring ${facts.keyring})`;
        if (facts.left === 0 || !options.wait) {
          await output.facts({ profile, ...facts }, [told]);
          if (facts.left > 0) await output.note(`${valuesText(facts.left)} sealed anew: hush keys status`);
          return;
        }
        if (!output.json) await output.facts({}, [told]);
        const end = await followed(daemon, profile, session);
        const { moved, left, elapsedMs } = end;
        if (output.json) await output.facts({ profile, ...facts, left, moved, elapsedMs }, []);
        if (end.state === 'stalled') throw stalled(end);
        await output.note(`${countText(moved, 'value')} sealed anew in ${(elapsedMs / 1000).toFixed(1)} s`);
      });
    });
}

/** Shows how far the re-sealing is until it ends. */
async function followed(daemon: Daemon, profile: string, { output }: Session): Promise<Resealing> {
  const status = createStatusLine(!output.json);
  const leave = (): void => {
    status.clear();
    void output.note('the sealing anew goes on in the daemon: hush keys status tells how far it is');
  };
  try {
    return await ifInterrupted(leave, async () => {
      for (;;) {
        const now = await daemon.call('keys.resealing', { profile });
        const { state, moved, left, rate } = now;
        if (state !== 'running') return now;
        if (output.json) await output.facts({ profile, ...now }, []);
        status.show(() => progressText({ done: moved, total: moved + left, rate }, 'values'));
        await delay(pollMs);
      }
    });
  } catch (error) {
    if (!(error instanceof HushError) || !goesOn.has(error.code)) throw error;
    const message = `the new key is active; ${error.message}: sealing the values anew goes on after the next unlock`;
    throw new HushError(error.code, message, { hint: error.hint, cause: error });
  } finally {
    status.clear();
  }
}

function stalled({ left, error }: Resealing): HushError {
  const {
    code = 'UNAVAILABLE',
    message = 'the daemon does not say why',
    hint = 'hush keys status',
  } = error ?? {};
  const told = `the new key is active, and ${valuesText(left)} still under an older one: ${message}`;
  return new HushError(isErrorCode(code) ? code : 'UNAVAILABLE', told, { hint });
}

const valuesText = (count: number): string => (count === 1 ? '1 value is' : `${count} values are`);
