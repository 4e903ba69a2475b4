import type { Command } from 'commander';
import { HushError } from '../../../protocol/errors.ts';
import { shellWord } from '../../../protocol/shell-word.ts';
import type { Session } from '../../commands.ts';
import { withDaemon, type Daemon } from '../../daemon.ts';
import { countText } from '../../format.ts';
import { profileOf, type ProfileOption } from '../../target.ts';
import { badUsage } from '../../usage.ts';

interface RetireOptions extends ProfileOption {
  readonly keyring?: string;
  readonly tenant?: string;
  readonly legacy?: true;
  readonly yes?: true;
}

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
    .option('--keyring <name>', 'the keyring of the key (default)')
    .option('--tenant <id>', 'the tenant of the key (none)')
    .option('--legacy', 'a legacy key, from before data keys')
    .option('--yes', 'confirm that it is to be destroyed')
    .addHelpText(
      'after',
      `
Without --yes it says what would become unreadable, and changes nothing. A key that stored values still need is
not destroyed. Backups from before can still open what they hold: it lists them.

Examples:
  hush keys retire 1
  hush keys retire 1 --yes
  hush keys retire 2 --tenant acme --yes`,
    )
    .action(async (text: string, options: RetireOptions) => {
      const version = versionOf(text);
      const { keyring, tenant, legacy } = options;
      if (legacy && (keyring !== undefined || tenant !== undefined)) {
        throw badUsage('a legacy key belongs to no keyring and no tenant', 'keys');
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
          ...result.backups.map(({ id, at }) => `backup ${id} of ${at} still holds it`),
          ...result.copies.map((copy) => `${copy}, in the home's profiles, may still hold it`),
        ]);
        if (result.backups.length + result.copies.length > 0) {
          await output.note('destroy these too, or what the key sealed stays readable');
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

function versionOf(text: string): number {
  const digits = /^v?([1-9]\d{0,9})$/.exec(text)?.[1];
  if (digits !== undefined) return Number(digits);
  throw badUsage('that is not the version of a key', 'keys');
}

/** What would become unreadable, as the error of a command that was not confirmed. */
async function refusal(daemon: Daemon, place: Place, version: number, isLegacy: boolean): Promise<HushError> {
  const words = [
    ...(place.keyring === undefined ? [] : [`--keyring ${place.keyring}`]),
    ...(place.tenant === undefined ? [] : [`--tenant ${shellWord(place.tenant)}`]),
    ...(isLegacy ? ['--legacy'] : []),
  ];
  const hint = ['hush keys retire', String(version), ...words, '--yes'].join(' ');
  const status = await daemon.call('keys.status', {
    ...place,
    before: Math.min(version + 1, 0xffff_ffff),
    limit: 1,
  });
  const name = `${isLegacy ? 'legacy ' : ''}key v${version}`;
  if (isLegacy) {
    const message = `this destroys ${name}: ${countText(status.legacyValues, 'stored value')} are under legacy keys now`;
    return new HushError('BAD_REQUEST', message, { hint });
  }
  const key = status.keys.find((found) => found.version === version);
  if (key === undefined)
    return new HushError('NOT_FOUND', `there never was ${name}`, { hint: 'hush keys status' });
  if (key.state === 'destroyed')
    return new HushError('BAD_REQUEST', `${name} is destroyed already`, { hint });
  const used =
    key.lastDecryptAt === undefined
      ? 'none was opened since it is not active any more'
      : `one was last opened about ${key.lastDecryptAt}`;
  const message =
    `this destroys ${name} for ever: ${key.values === 0 ? 'no stored value' : countText(key.values, 'stored value')} needs it, ` +
    `and every handle that it sealed and that was not rewrapped becomes unreadable (how many the platform keeps is not known; ${used})`;
  return new HushError('BAD_REQUEST', message, { hint });
}
