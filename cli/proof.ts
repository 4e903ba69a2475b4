import type { Command } from 'commander';
import { errorTable, HushError } from '../protocol/errors.ts';
import type { ResultOf } from '../protocol/operations.ts';
import {
  askRecoveryKey,
  fileOption,
  keyFromFile,
  keyWithoutPerson,
  passphraseFrom,
  passphraseTyped,
  recoveryKeyFrom,
  type Credential,
} from './credentials.ts';
import type { Lines } from './input.ts';
import { withHint } from './output.ts';
import { askHidden, onTerminal } from './prompts.ts';
import { wordsOf } from './usage.ts';

/** What opens a profile: any one of the list, the members of one together. */
export type OpensWith = NonNullable<ResultOf<'status'>['profiles'][number]['opensWith']>;

type Member = OpensWith[number][number];

/** What the options say that a profile is opened with. */
export interface ProofOptions {
  readonly keyFiles: readonly string[];
  /** How many lines of standard input are passphrases, and how many after them recovery keys. */
  readonly passphraseLines: number;
  readonly recoveryLines: number;
  /** Whether a recovery key is to be asked for. */
  readonly askRecovery: boolean;
}

/** A credential, and where it came from in words. */
interface Given {
  readonly credential: Credential;
  readonly source: string;
}

const typedSource = 'what was typed';

/** The credentials of one unlock, at most. */
const most = 4;

/**
 * Puts the options onto a command that say what a profile is opened with, and gives how to read them in its action.
 * `recoveryOption` is the one that asks for a recovery key at a prompt.
 */
export function addProofOptions(
  command: Command,
  recoveryOption: '--recovery' | '--by-recovery',
): () => ProofOptions {
  const times = { passphrase: 0, recovery: 0, ask: 0 };
  const keyFiles: string[] = [];
  const checked = fileOption('--key-file', wordsOf(command));
  command
    .option('--key-file <file>', 'open it with the 32-byte key in this file', (path: string) => {
      keyFiles.push(checked(path));
      return path;
    })
    .option('--passphrase-stdin', 'open it with a passphrase, one line of standard input')
    .option('--recovery-stdin', 'open it with a recovery key, one line after the passphrases')
    .option(recoveryOption, 'open it with a recovery key, typed at a hidden prompt')
    .on('option:passphrase-stdin', () => void (times.passphrase += 1))
    .on('option:recovery-stdin', () => void (times.recovery += 1))
    .on(`option:${recoveryOption.slice(2)}`, () => void (times.ask += 1));
  return () => ({
    keyFiles,
    passphraseLines: times.passphrase,
    recoveryLines: times.recovery,
    askRecovery: times.ask > 0,
  });
}

/** How it is told in the help of each command that has these options. */
export const proofHelp = `
What opens the profile: --key-file, --passphrase-stdin and --recovery-stdin, together where they are
given together, each as often as a group needs it. What is then missing comes from the systemd
credential hushd-master-key, else HUSH_MASTER_KEY; then, on a terminal, from hidden prompts.
Standard input has one line each: first the passphrases, then the recovery keys.`;

/**
 * Runs `use` with what opens the profile, and wipes it. What the options name is all there; where that opens nothing by
 * its kinds, a key that needs no person is added, and on a terminal the rest is asked for. Throws NO_STABLE_KEY where
 * there is nothing, what reading it throws, and errors of `use` that speak of a wrong credential with where that one
 * came from.
 */
export async function withProof<Result>(
  options: ProofOptions,
  profile: string,
  opensWith: OpensWith | undefined,
  lines: Lines,
  use: (credentials: Credential[]) => Promise<Result>,
): Promise<Result> {
  const given: Given[] = [];
  try {
    await readNamed(given, options, profile, lines);
    await addMissing(given, profile, opensWith ?? anyKind);
    if (given.length === 0) throw new HushError('NO_STABLE_KEY');
    return await use(given.map(({ credential }) => credential));
  } catch (error) {
    throw withSource(error, given);
  } finally {
    for (const { credential } of given) credential.secret.fill(0);
  }
}

/** What may open a profile of which nothing is known. */
const anyKind: OpensWith = [
  [{ kind: 'passphrase', label: '' }],
  [{ kind: 'key', label: '' }],
  [{ kind: 'recovery', label: '' }],
];

/** Reads what the options name. */
async function readNamed(
  given: Given[],
  { keyFiles, passphraseLines, recoveryLines, askRecovery }: ProofOptions,
  profile: string,
  lines: Lines,
): Promise<void> {
  if (keyFiles.length + passphraseLines + recoveryLines + Number(askRecovery) > most) {
    throw new HushError('BAD_REQUEST', `a profile is opened with at most ${most} credentials`, {
      hint: 'hush help unlock',
    });
  }
  for (const file of keyFiles) given.push({ credential: keyFromFile(file), source: file });
  for (let line = 1; line <= passphraseLines + recoveryLines; line += 1) {
    const credential =
      line <= passphraseLines
        ? await passphraseFrom(lines, '--passphrase-stdin')
        : await recoveryKeyFrom(lines, '--recovery-stdin');
    given.push({ credential, source: `line ${line} of standard input` });
  }
  if (askRecovery) given.push(await typedMember('recovery', `of profile ${profile}`));
}

/** Adds what is missing by the kinds: a key that needs no person, and on a terminal what can be typed. */
async function addMissing(given: Given[], profile: string, opensWith: OpensWith): Promise<void> {
  const named = given.map(kindOf);
  const lacking = missing(opensWith, named);
  const isEnough = lacking.some((members) => members.length === 0);
  const wantsKey = lacking.some((members) => members.some(isKey)) || (named.length === 0 && !onTerminal());
  const key = wantsKey && named.length < most ? keyWithoutPerson(process.env) : undefined;
  const typed = isEnough || !onTerminal() ? [] : leastTyping(lacking, key !== undefined);
  if (key !== undefined) {
    const belongs = missing(opensWith, [...named, ...typed.map(({ kind }) => kind), 'key']).length > 0;
    // Where nothing can be typed it goes along in any case, so that the daemon says what is missing.
    if (belongs || (!isEnough && !onTerminal())) given.push(key);
    else key.credential.secret.fill(0);
  }
  for (const { kind, label } of typed) {
    const isOneOfMany = typed.length + named.length > 1 && label !== '';
    given.push(await typedMember(kind, `${isOneOfMany ? `'${label}' ` : ''}of profile ${profile}`));
  }
}

async function typedMember(kind: Member['kind'], whose: string): Promise<Given> {
  const credential =
    kind === 'recovery'
      ? await askRecoveryKey(`Recovery key ${whose}`)
      : passphraseTyped(await askHidden(`Passphrase ${whose}`, 'Type the passphrase'));
  return { credential, source: typedSource };
}

const kindOf = ({ credential }: Given): Credential['kind'] => credential.kind;
const isKey = ({ kind }: Member): boolean => kind === 'key';

/**
 * What is to be typed for the way that needs the least typing, given a key where there is one at hand; a recovery key
 * is the last resort, and a key cannot be typed.
 */
function leastTyping(lacking: readonly (readonly Member[])[], hasKey: boolean): readonly Member[] {
  const effort = (members: readonly Member[]): number =>
    members.reduce((sum, { kind }) => sum + (kind === 'passphrase' ? 1 : most + 1), 0);
  const [least = []] = lacking
    .map((members) => {
      const at = hasKey ? members.findIndex(isKey) : -1;
      return members.filter((_, index) => index !== at);
    })
    .filter((members) => !members.some(isKey))
    .sort((a, b) => effort(a) - effort(b));
  // The order of the lines of standard input.
  return least.toSorted((a, b) => Number(a.kind === 'recovery') - Number(b.kind === 'recovery'));
}

/** Of each opener that all of these could belong to, the members that are not among them. */
function missing(opensWith: OpensWith, given: readonly Credential['kind'][]): Member[][] {
  return opensWith.flatMap((members) => {
    const rest = [...members];
    for (const one of given) {
      const at = rest.findIndex(({ kind }) => kind === one);
      if (at < 0) return [];
      rest.splice(at, 1);
    }
    return [rest];
  });
}

/** A wrong credential with the place to look at, where the daemon's hint does not say more. */
function withSource(error: unknown, given: readonly Given[]): unknown {
  if (!(error instanceof HushError)) return error;
  const { code, hint } = error;
  if ((code !== 'WRONG_PASSPHRASE' && code !== 'WRONG_KEY') || hint !== errorTable[code].hint) return error;
  const sources = given
    .filter(({ credential }) => (credential.kind === 'passphrase') === (code === 'WRONG_PASSPHRASE'))
    .map(({ source }) => source);
  const typed = sources.includes(typedSource);
  if (sources.length === 0 || (typed && code === 'WRONG_PASSPHRASE')) return error;
  return withHint(
    error,
    typed
      ? 'it is a recovery key, and none of this profile: look for the newest paper'
      : `check ${sources.join(' and ')}`,
  );
}
