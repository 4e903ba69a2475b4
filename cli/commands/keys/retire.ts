import type { Command } from 'commander';
import { HushError } from '../../../protocol/errors.ts';
import type { ResultOf } from '../../../protocol/operations.ts';
import { shellWord } from '../../../protocol/shell-word.ts';
import type { Session } from '../../commands.ts';
import { withDaemon, type Daemon } from '../../daemon.ts';
import { countText } from '../../format.ts';
import { keyringOption, tenantOption } from '../../keyring-option.ts';
import { profileOf, type ProfileOption } from '../../target.ts';
import { badUsage } from '../../usage.ts';

interface RetireOptions extends ProfileOption {
  readonly keyring?: string;
  readonly tenant?: string;
  readonly legacy?: true;
  readonly yes?: true;
}

type Status = ResultOf<'keys.status'>;

const mostVersion = 0xffff_ffff;
const usualKeyring = 'default';

interface Place {
  readonly profile: string;
  readonly keyring?: string;
  readonly tenant?: string;
}

/** `hush keys retire`: a key that only opens is destroyed. */
export function defineRetire(keys: Command, { output }: Session): void {
  keys
    .command('retire')
    .description('destroy a retired key: the handles that it sealed are unreadable, for ever')
    .argument('<version>', 'its version, as hush keys status tells it: 3 or v3')
    .option('--keyring <name>', 'the keyring of the key (default)', keyringOption)
    .option('--tenant <id>', 'the tenant of the key (none)', tenantOption)
    .option('--legacy', 'a legacy key, from before data keys')
    .option('--yes', 'confirm that it is to be destroyed')
    .addHelpText(
      'after',
      `
Without --yes it says what would become unreadable, and changes nothing. A key that stored values still need is
not destroyed. Backups from before can still open what they hold: it lists them. Stored values that they hold
under it do not come back in this home any more: take a new backup after it.

Examples:
  hush keys retire 1
  hush keys retire 1 --yes
  hush keys retire 2 --tenant acme --yes`,
    )
    .action(async (text: string, options: RetireOptions) => {
      const version = versionOf(text);
      const { keyring, tenant, legacy } = options;
      if (legacy && (keyring !== undefined || tenant !== undefined)) {
        throw badUsage('a legacy key belongs to no keyring and no tenant', 'keys retire');
      }
      const place: Place = {
        profile: profileOf(options, process.env),
        ...(keyring === undefined ? {} : { keyring }),
        ...(tenant === undefined ? {} : { tenant }),
      };
      await withDaemon(async (daemon) => {
        if (!options.yes) throw await refusal(daemon, place, version, legacy === true);
        const result = await daemon.call('keys.retire', {
          ...place,
          version,
          ...(legacy ? { legacy } : {}),
        });
        const name = `${legacy ? 'legacy ' : ''}key v${version}`;
        await output.facts({ ...place, ...(legacy ? { legacy } : {}), ...result }, [
          result.already ? `${name} was destroyed already` : `${name} is destroyed`,
          ...result.backups.map(({ id, at }) => `backup ${id} of ${at} may still hold it`),
          ...result.copies.map((copy) => `${copy}, in the home's profiles, may still hold it`),
        ]);
        if (result.backups.length + result.copies.length > 0) {
          await output.note('destroy these too, or what the key sealed stays readable');
        }
        if (result.backups.length > 0 && sealsStored(place, legacy === true)) {
          await output.note(
            'stored values that these backups hold under it do not come back in this home any more: take a new backup',
          );
        }
        if (!result.erased) {
          throw new HushError(
            'UNAVAILABLE',
            'the key is destroyed, and its old bytes are still on the disk',
            {
              hint: 'make room on the disk, then run the same command again',
            },
          );
        }
      });
    });
}

/** Whether a key is of those that stored values are sealed under. */
const sealsStored = ({ keyring = usualKeyring, tenant }: Place, isLegacy: boolean): boolean =>
  isLegacy || (keyring === usualKeyring && tenant === undefined);

function versionOf(text: string): number {
  const version = Number(/^v?([1-9]\d{0,9})$/.exec(text)?.[1] ?? 0);
  if (version > 0 && version <= mostVersion) return version;
  throw badUsage('that is not the version of a key', 'keys retire');
}

/** What would become unreadable, or why the key is not destroyed: the error of a command that was not confirmed. */
async function refusal(daemon: Daemon, place: Place, version: number, isLegacy: boolean): Promise<HushError> {
  const status = await daemon.call('keys.status', {
    ...place,
    before: Math.min(version + 1, mostVersion),
    limit: 1,
  });
  const name = `${isLegacy ? 'legacy ' : ''}key v${version}`;
  const known = isLegacy ? status.legacyKeys : status.keys;
  const state = known.find((found) => found.version === version)?.state;
  if (state === undefined) {
    return new HushError('NOT_FOUND', `there never was ${name}`, { hint: 'hush keys status' });
  }
  const hint = confirmation(place, version, isLegacy);
  if (state === 'destroyed') return new HushError('BAD_REQUEST', `${name} is destroyed already`, { hint });
  const need = isLegacy ? needOfLegacy(status) : needOf(status, version);
  if (need !== undefined) {
    return new HushError('CONFLICT', `${name} ${need.why}, and is not destroyed`, { hint: need.hint });
  }
  const lost = isLegacy
    ? 'nothing is sealed under it any more'
    : `no stored value needs it, and every handle that it sealed and that was not rewrapped becomes unreadable (how many the platform keeps is not known; ${lastUse(status, version)})`;
  const { lastBackupAt } = status;
  const backups =
    lastBackupAt !== undefined && sealsStored(place, isLegacy)
      ? `; values that backups from before hold under it do not come back in this home any more (the newest is of ${lastBackupAt})`
      : '';
  return new HushError('BAD_REQUEST', `this destroys ${name} for ever: ${lost}${backups}`, { hint });
}

/** The command that destroys the key. */
function confirmation({ keyring, tenant }: Place, version: number, isLegacy: boolean): string {
  const words = [
    ...(keyring === undefined ? [] : [`--keyring ${keyring}`]),
    ...(tenant === undefined ? [] : [`--tenant ${shellWord(tenant)}`]),
    ...(isLegacy ? ['--legacy'] : []),
  ];
  return ['hush keys retire', String(version), ...words, '--yes'].join(' ');
}

/** Why a key stays, and what ends that. */
interface Need {
  readonly why: string;
  readonly hint: string;
}

function needOfLegacy({ legacyValues }: Status): Need | undefined {
  if (legacyValues === 0) return undefined;
  const why = `is needed: ${countText(legacyValues, 'stored value')} under legacy keys`;
  return { why, hint: 'hush keys rotate, which seals them anew' };
}

function needOf({ active, keys, keyring, tenant, resealing }: Status, version: number): Need | undefined {
  if (version === active) {
    return {
      why: 'is active: new values are sealed under it',
      hint: `hush keys rotate${keyring === usualKeyring ? '' : ` --keyring ${keyring}`}, which makes another one active`,
    };
  }
  const left = keyring === usualKeyring && tenant === undefined ? resealing.left : 0;
  const isRetired = keys.some((key) => key.version === version && key.state === 'retired');
  if (left === 0 && isRetired) return undefined;
  const why =
    left === 0 ? 'is not retired yet' : `is needed: ${countText(left, 'value')} not sealed anew yet`;
  return { why, hint: 'hush keys status' };
}

function lastUse({ keys }: Status, version: number): string {
  const at = keys.find((key) => key.version === version)?.lastDecryptAt;
  return at === undefined
    ? 'none was opened since it is not active any more'
    : `one was last opened about ${at}`;
}
