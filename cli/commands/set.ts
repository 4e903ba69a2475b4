import { fstatSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import { alphabetOf, alphabets, bitsOf, defaultAlphabet } from '../alphabets.ts';
import type { Define } from '../commands.ts';
import { stateOf, withDaemon, type Daemon } from '../daemon.ts';
import { expiryOf } from '../expiry.ts';
import { readInput } from '../input.ts';
import { askHiddenTwice, isTyped, onTerminal } from '../prompts.ts';
import { defaultLength, maxLength, randomText } from '../random-text.ts';
import { describingOf, noteOption, tagsOption } from '../secret-facts.ts';
import { targetOf, type ProfileOption, type Target } from '../target.ts';
import { badUsage } from '../usage.ts';
import { valueFields } from '../value-fields.ts';
import { currentOption } from '../version-option.ts';

interface SetOptions extends ProfileOption {
  readonly file?: string;
  /** How many characters to generate; true where no number was given. */
  readonly generate?: number | true;
  /** The characters to generate from. */
  readonly alphabet?: string;
  readonly reveal?: true;
  readonly expires?: string;
  readonly note?: string;
  readonly tag?: readonly string[];
  readonly ifVersion?: number;
}

type SetFacts = ResultOf<'secret.set'>;

export const define: Define = (command, { output }) => {
  command
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .option('--file <file>', 'the bytes of this file, whatever they are')
    .option('--generate [length]', `make a random value of letters and digits (${defaultLength})`, lengthOf)
    .option('--alphabet <name>', 'what to generate from: a name, or the characters themselves', alphabetOf)
    .option('--reveal', 'print the generated value: exactly its bytes, and nothing else')
    .option(
      '--expires <when>',
      'until when it may be read: a time, a day, or 30d, 12h, 90m from now',
      expires,
    )
    .option('--note <text>', "what it is for, shown by hush list --long; '' takes the note away", noteOption)
    .option('--tag <tag>', "a word to find it by; can be repeated; '' takes all away", tagsOption)
    .option('--if-version <n>', 'only if this version is the current one; 0: if there is none', currentOption)
    .addHelpText('after', examples)
    .action(async (path: string, options: SetOptions) => {
      requireOneSource(options);
      const target = targetOf(path, options, process.env);
      const { value, facts } = await withDaemon(async (daemon) => {
        const bytes = await valueFor(daemon, target, options);
        return { value: bytes, facts: await keep(daemon, { ...target, ...describingOf(options) }, bytes) };
      });
      try {
        const { expires: expiresAt } = options;
        const told = { ...target, ...facts, ...(expiresAt === undefined ? {} : { expiresAt }) };
        const done = `${target.path} ${facts.created ? 'is kept' : 'has a new value'}, version ${facts.version}`;
        const line = expiresAt === undefined ? done : `${done}, expires ${expiresAt}`;
        if (!options.reveal) await output.facts(told, [line]);
        else if (output.json) await output.facts({ ...told, ...valueFields(value) }, []);
        else {
          // First of all that it is stored: should it not be shown, `get` can.
          await output.note(line);
          await output.bytes(value);
        }
        if (value.length === 0) await output.note('the value is empty');
        if (options.generate !== undefined) {
          const bits = bitsOf(value.length, options.alphabet ?? alphabetOf(defaultAlphabet));
          if (bits < fewBits) await output.note(`the value has ${bits} bits: it can be guessed in time`);
        }
      } finally {
        value.fill(0);
      }
    });
};

/** The most that [limits] value_bytes can be; what the daemon takes, it says itself. */
const maxValueBytes = 16 * 1024 * 1024;

/** A generated value of fewer bits draws a word of warning. */
const fewBits = 64;

const expires = (text: string): string => expiryOf(text, new Date());

const examples = `
The value is standard input, byte for byte; on a terminal a hidden prompt asks for it, twice. Old values are kept as
versions: hush history, hush restore. A note and tags stay until others are given; an expiry is the new value's alone.

Alphabets: ${Object.keys(alphabets).join(', ')}.

Examples:
  hush set global/db
  printf '%s' "$TOKEN" | hush set ws:42/api-token --expires 30d --tag ci
  hush set global/tls-key --file server.key --note 'of the load balancer'
  hush set global/session-key --generate 48
  hush set global/pin --generate 12 --alphabet digits
  hush set global/db --if-version 3 < new.txt`;

function lengthOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw badUsage('the length after --generate is not a number: write the path before it', 'set');
  }
  const length = Number(text);
  if (length >= 1 && length <= maxLength) return length;
  throw badUsage(`the length after --generate is 1 to ${maxLength}`, 'set');
}

function requireOneSource({ file, generate, alphabet, reveal }: SetOptions): void {
  if (file !== undefined && generate !== undefined) {
    throw badUsage('a value is read from --file or made by --generate, not both', 'set');
  }
  if (generate !== undefined) return;
  if (reveal) throw badUsage('--reveal goes with --generate', 'set');
  if (alphabet !== undefined) throw badUsage('--alphabet goes with --generate', 'set');
}

/** The value to keep: generated, of a file, typed at a prompt, or read from standard input up to what the daemon takes. */
async function valueFor(
  daemon: Daemon,
  target: Target,
  { file, generate, alphabet = alphabetOf(defaultAlphabet) }: SetOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (generate !== undefined) return randomText(generate === true ? defaultLength : generate, alphabet);
  if (file !== undefined) return valueOfFile(file);
  if (isInputClosed()) throw noValue('standard input is closed, or /dev/null');
  if (!isTyped()) return readInput(maxValueBytes);
  if (!onTerminal()) throw badUsage('there is nobody to ask: pipe the value in', 'set');
  const known = await stateOf(daemon, target.profile);
  if (known?.state === 'locked') {
    throw new HushError('LOCKED', `profile ${target.profile} is locked`, {
      hint: `hush unlock -p ${target.profile}`,
    });
  }
  return askHiddenTwice(
    `Value of ${target.path}`,
    "Type a value; for an empty one: printf '' | hush set PATH",
  );
}

/** As a job without a terminal has it, where nobody meant an empty value. Node puts the null device in a closed one's place. */
const isInputClosed = (): boolean =>
  fstatSync(0).rdev === statSync('/dev/null', { throwIfNoEntry: false })?.rdev;

const noValue = (message: string): HushError =>
  new HushError('BAD_REQUEST', message, {
    hint: "pipe the value in; for an empty one: printf '' | hush set PATH",
  });

async function valueOfFile(file: string): Promise<Uint8Array<ArrayBuffer>> {
  if (file === '-') throw badUsage('standard input is read without --file', 'set');
  const { readRegularFile } = await import('../../daemon/home/files.ts');
  try {
    return readRegularFile(resolve(file), maxValueBytes);
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'BAD_REQUEST')) throw error;
    throw new HushError('BAD_REQUEST', error.message, {
      hint: 'a pipe goes to standard input: hush set PATH < FILE',
      cause: error,
    });
  }
}

async function keep(
  daemon: Daemon,
  request: Target & ReturnType<typeof describingOf>,
  value: Uint8Array<ArrayBuffer>,
): Promise<SetFacts> {
  try {
    return await daemon.call('secret.set', { ...request, value });
  } catch (error) {
    value.fill(0);
    throw error;
  }
}
