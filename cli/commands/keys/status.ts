import type { Command } from 'commander';
import type { ResultOf } from '../../../protocol/operations.ts';
import type { Session } from '../../commands.ts';
import { withDaemon } from '../../daemon.ts';
import { columns, countText, durationText } from '../../format.ts';
import { keyringOption, tenantOption } from '../../keyring-option.ts';
import { progressText } from '../../progress-bar.ts';
import { profileOf, type ProfileOption } from '../../target.ts';

interface StatusOptions extends ProfileOption {
  readonly keyring?: string;
  readonly tenant?: string;
}

type Status = ResultOf<'keys.status'>;
type KeyFacts = Status['keys'][number];

/** `hush keys status`: which keys there are, what they seal, and what to do next. */
export function defineStatus(keys: Command, { output }: Session): void {
  keys
    .command('status')
    .description('show the keys that seal secrets, what each still seals, and what to do next')
    .option('--keyring <name>', 'the keyring whose keys are listed (default)', keyringOption)
    .option('--tenant <id>', 'the keys of this tenant instead of the ones without a tenant', tenantOption)
    .addHelpText(
      'after',
      `
A retired key only opens: handles that the platform keeps. How many those are nobody here knows; the time of the last
decrypt under a key is exact to about ten seconds.

Examples:
  hush keys status
  hush keys status --tenant acme --json`,
    )
    .action(async (options: StatusOptions) => {
      const profile = profileOf(options, process.env);
      const { keyring, tenant } = options;
      const params = {
        profile,
        ...(keyring === undefined ? {} : { keyring }),
        ...(tenant === undefined ? {} : { tenant }),
      };
      const { vaultRotation, ...status } = await withDaemon(async (daemon) => {
        const first = await daemon.call('keys.status', params);
        const all = [...first.keys];
        for (let page = first; page.next !== undefined;) {
          page = await daemon.call('keys.status', { ...params, before: page.next });
          all.push(...page.keys);
        }
        const rotation = await daemon.call('keys.vaultRotation', { profile });
        const whole = { ...first, keys: all, vaultRotation: rotation };
        delete whole.next;
        return whole;
      });
      await output.facts({ profile, ...status, vaultRotation }, [
        ...linesOf(status),
        ...vaultRotationLines(vaultRotation),
      ]);
    });
}

function linesOf(status: Status): string[] {
  const { values, legacyValues, keyrings, resealing, lastBackupAt, newerThanBackup } = status;
  const { moved, left, rate, state } = resealing;
  const automatic = automaticText(status);
  return [
    headline(status),
    ...columns(status.keys.map((key) => rowOf(key, status.active))),
    `${countText(values, 'stored value')}${legacyValues === 0 ? '' : `, ${legacyValues} of them under legacy keys`}`,
    ...(state === 'running'
      ? [`sealing anew ${progressText({ done: moved, total: moved + left, rate }, 'values')}`]
      : []),
    ...keyrings.filter(({ tenants }) => tenants > 0).map(tenantsText),
    ...(automatic === '' ? [] : [automatic]),
    lastBackupAt === undefined
      ? 'no backup was kept yet'
      : `last backup ${lastBackupAt}${newerThanBackup === 0 ? ', which holds every key' : ''}`,
    ...status.advice.map(
      ({ level, message, hint }) =>
        `${level === 'warning' ? 'warning' : 'next'}: ${message}${hint === undefined ? '' : `: ${hint}`}`,
    ),
  ];
}

function vaultRotationLines({ underWay, done = 0, total = 0 }: ResultOf<'keys.vaultRotation'>): string[] {
  return underWay
    ? [`the vault is being written anew under another key: ${done} of ${countText(total, 'secret')}`]
    : [];
}

function headline({ keyring, tenant, active, keys, messageLimit }: Status): string {
  const line = `keyring ${keyring}${tenant === undefined ? '' : `, tenant ${tenant}`}`;
  const newest = keys.find(({ version }) => version === active);
  if (newest === undefined) return `${line}: its keys are destroyed`;
  const age = durationText(Math.max(0, Date.now() - Date.parse(newest.createdAt)));
  const share = ((newest.messages / messageLimit) * 100).toFixed(2);
  return `${line}: key v${newest.version} is active, ${age} old, ${newest.messages} messages (${share} % of what it may seal)`;
}

function rowOf(key: KeyFacts, active: number | undefined): string[] {
  const { version, state, values, createdAt, createdBy, lastDecryptAt, inBackup } = key;
  const facts = [`made ${createdAt} by ${createdBy}`];
  if (key.retiredAt !== undefined) facts.push(`retired ${key.retiredAt} by ${key.retiredBy ?? ''}`);
  if (key.destroyedAt !== undefined) facts.push(`destroyed ${key.destroyedAt} by ${key.destroyedBy ?? ''}`);
  if (version !== active && state !== 'destroyed') {
    facts.push(lastDecryptAt === undefined ? 'no decrypt since' : `last decrypt ${lastDecryptAt}`);
  }
  if (state !== 'destroyed' && !inBackup) facts.push('in no backup');
  return [`v${version}`, state, countText(values, 'value'), facts.join(', ')];
}

function tenantsText({ keyring, tenants, shredded, retired }: Status['keyrings'][number]): string {
  const gone = shredded === 0 ? '' : `, of ${shredded} they are destroyed`;
  return `keyring ${keyring} has keys for ${countText(tenants, 'tenant')}${gone}; ${countText(retired, 'retired key')} in all`;
}

function automaticText({ automatic: { afterDays, afterMessages } }: Status): string {
  const rules = [
    ...(afterDays === undefined ? [] : [`${afterDays} days`]),
    ...(afterMessages === undefined ? [] : [`${afterMessages} messages`]),
  ];
  return rules.length === 0 ? '' : `a key is followed by a new one by itself after ${rules.join(' or ')}`;
}
