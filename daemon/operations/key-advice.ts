import type { RotationConfig } from '../config/config.ts';
import { mostMessages } from '../vault/message-budget.ts';
import type { KeyFacts, KeyStatus } from '../vault/key-status.ts';

/** One thing to do about the keys of a profile. */
export interface KeyAdvice {
  readonly topic: 'resealing' | 'messages' | 'age' | 'tenant' | 'backup' | 'legacy' | 'retired';
  readonly level: 'note' | 'warning';
  readonly message: string;
  /** The command that does it. */
  readonly hint?: string;
}

const dayMs = 86_400_000;
/** From here on a key is worth a word, even where nothing rotates it by itself. */
const oldDays = 365;
const manyMessages = mostMessages / 4;
/** A rule that was due for so long does not work. */
const graceDays = 2;

/** What to do next about the keys that a status tells of, the most urgent first. */
export function keyAdvice(status: KeyStatus, rotation: RotationConfig, now: Date): readonly KeyAdvice[] {
  return [
    ...adviceOnResealing(status),
    ...adviceOnSealing(status, rotation, now),
    ...adviceOnBackups(status),
    ...adviceOnLegacy(status),
    ...adviceOnRetired(status),
  ];
}

function adviceOnResealing({ resealing: { state, left, error } }: KeyStatus): readonly KeyAdvice[] {
  if (state === 'running') {
    return [
      {
        topic: 'resealing',
        level: 'note',
        message: `${valuesText(left)} still being sealed anew; it goes on by itself`,
      },
    ];
  }
  if (state !== 'stalled' || error === undefined) return [];
  const message = `${valuesText(left)} not sealed anew, and their old key stays active: ${error.message}`;
  return [{ topic: 'resealing', level: 'warning', message, hint: error.hint }];
}

function adviceOnSealing(status: KeyStatus, { afterDays }: RotationConfig, now: Date): readonly KeyAdvice[] {
  const { active, keyring, tenant } = status;
  const rotate = `hush keys rotate${keyring === 'default' ? '' : ` --keyring ${keyring}`}`;
  if (active === undefined) {
    const message = `the keys of tenant ${tenant} are destroyed, and nothing is sealed for it`;
    return [{ topic: 'tenant', level: 'note', message, hint: 'hush keys reopen --tenant ID' }];
  }
  const advice: KeyAdvice[] = [];
  for (const facts of status.keyrings) {
    if (facts.mostMessages < manyMessages) continue;
    const share = Math.floor((facts.mostMessages / mostMessages) * 100);
    const message = `a key of keyring ${facts.keyring} has sealed ${share} % of what it may`;
    advice.push({
      topic: 'messages',
      level: 'warning',
      message,
      hint: `hush keys rotate --keyring ${facts.keyring}`,
    });
  }
  const newest = status.keys.find(({ version }) => version === active);
  const days = newest === undefined ? 0 : (now.getTime() - Date.parse(newest.createdAt)) / dayMs;
  if (days >= (afterDays === undefined ? oldDays : afterDays + graceDays)) {
    advice.push({
      topic: 'age',
      level: 'note',
      message: `key v${active} is ${Math.floor(days)} days old`,
      hint: rotate,
    });
  }
  return advice;
}

function adviceOnBackups({ newerThanBackup, lastBackup }: KeyStatus): readonly KeyAdvice[] {
  if (newerThanBackup === 0) return [];
  const keys = newerThanBackup === 1 ? 'a data key is' : `${newerThanBackup} data keys are`;
  const than =
    lastBackup === undefined
      ? 'in no backup that this vault knows of'
      : `newer than the last backup (${lastBackup.at})`;
  const message = `${keys} ${than}: without this disk, what they seal is lost`;
  return [{ topic: 'backup', level: 'warning', message, hint: 'hush backup create FILE' }];
}

function adviceOnLegacy({ legacyValues, legacyKeys, resealing }: KeyStatus): readonly KeyAdvice[] {
  if (legacyValues > 0) {
    if (resealing.state === 'running') return [];
    const message = `${valuesText(legacyValues)} sealed under a legacy key, from before data keys`;
    return [{ topic: 'legacy', level: 'note', message, hint: 'hush keys rotate' }];
  }
  return legacyKeys
    .filter(({ state }) => state === 'retired')
    .map(({ version }) => ({
      topic: 'legacy',
      level: 'note',
      message: `legacy key ${version} seals nothing any more`,
      hint: `hush keys retire ${version} --legacy --yes`,
    }));
}

function adviceOnRetired({ keys, keyring, tenant }: KeyStatus): readonly KeyAdvice[] {
  const retired = keys.filter(({ state }) => state === 'retired');
  const [newest] = retired;
  if (newest === undefined) return [];
  const lastUsed = retired
    .flatMap(({ lastDecryptAt }) => lastDecryptAt ?? [])
    .sort()
    .at(-1);
  const used =
    lastUsed === undefined
      ? 'no handle was opened under them since'
      : `the last handle was opened under them about ${lastUsed}`;
  const place = `${keyring === 'default' ? '' : ` --keyring ${keyring}`}${tenant === '' ? '' : ' --tenant ID'}`;
  const message = `${namesOf(retired)} only ${retired.length === 1 ? 'opens' : 'open'} what the platform keeps: rewrap its handles (${used}), then destroy what nothing needs`;
  return [
    {
      topic: 'retired',
      level: 'note',
      message,
      hint: `hush keys rewrap --stdin, then hush keys retire VERSION${place} --yes`,
    },
  ];
}

const mostNamed = 3;

function namesOf(keys: readonly KeyFacts[]): string {
  const names = keys.slice(0, mostNamed).map(({ version }) => `v${version}`);
  const rest = keys.length - names.length;
  return `retired ${keys.length === 1 ? 'key' : 'keys'} ${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

const valuesText = (count: number): string => (count === 1 ? '1 value is' : `${count} values are`);
