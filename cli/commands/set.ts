import { HushError } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { Define } from '../commands.ts';
import { stateOf, withDaemon, type Daemon } from '../daemon.ts';
import { readInput } from '../input.ts';
import { askHiddenTwice, isTyped, onTerminal } from '../prompts.ts';
import { defaultLength, maxLength, randomText } from '../random-text.ts';
import { targetOf, type ProfileOption, type Target } from '../target.ts';
import { badUsage } from '../usage.ts';
import { valueFields } from './get.ts';

interface SetOptions extends ProfileOption {
  /** How many characters to generate; true where no number was given. */
  readonly generate?: number | true;
  readonly reveal?: true;
}

export const define: Define = (command, { output }) => {
  command
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .option('--generate [length]', `make a random value of letters and digits (${defaultLength})`, lengthOf)
    .option('--reveal', 'print the generated value: exactly its bytes, and nothing else')
    .addHelpText('after', examples)
    .action(async (path: string, options: SetOptions) => {
      if (options.reveal && options.generate === undefined)
        throw badUsage('--reveal goes with --generate', 'set');
      const target = targetOf(path, options, process.env);
      const { value, facts } = await withDaemon(async (daemon) => {
        const bytes = await valueFor(daemon, target, options);
        return { value: bytes, facts: await keep(daemon, target, bytes) };
      });
      try {
        const told = `${target.path} ${facts.created ? 'is kept' : 'has a new value'}, version ${facts.version}`;
        if (!options.reveal) return await output.facts({ ...target, ...facts }, [told]);
        if (output.json) return await output.facts({ ...target, ...facts, ...valueFields(value) }, []);
        await output.bytes(value);
        await output.note(told);
      } finally {
        value.fill(0);
      }
    });
};

type SetFacts = ResultOf<'secret.set'>;

/** The most that [limits] value_bytes can be; what the daemon takes, it says itself. */
const maxValueBytes = 16 * 1024 * 1024;

const examples = `
The value is standard input, byte for byte; on a terminal a hidden prompt asks for it.

Examples:
  hush set global/db
  printf '%s' "$TOKEN" | hush set ws:42/api-token
  hush set global/session-key --generate 48`;

function lengthOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw badUsage('the length after --generate is not a number: write the path before it', 'set');
  }
  const length = Number(text);
  if (length >= 1 && length <= maxLength) return length;
  throw badUsage(`the length after --generate is 1 to ${maxLength}`, 'set');
}

/** The value to keep: generated, typed at a prompt, or read from standard input up to what the daemon takes. */
async function valueFor(
  daemon: Daemon,
  target: Target,
  options: SetOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (options.generate !== undefined)
    return randomText(options.generate === true ? defaultLength : options.generate);
  if (!isTyped()) return readInput(maxValueBytes);
  if (!onTerminal()) throw badUsage('there is no terminal to ask on: pipe the value in', 'set');
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

async function keep(daemon: Daemon, target: Target, value: Uint8Array<ArrayBuffer>): Promise<SetFacts> {
  try {
    return await daemon.call('secret.set', { ...target, value });
  } catch (error) {
    value.fill(0);
    throw error;
  }
}
