import { HushError } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import { answerTo, waitOption } from '../approval.ts';
import type { Clipboard } from '../clipboard.ts';
import type { Define } from '../commands.ts';
import { withDaemonAlone } from '../daemon.ts';
import { sizeText } from '../format.ts';
import type { Output } from '../output.ts';
import { targetOf, typedFor, type ProfileOption, type Target } from '../target.ts';
import { isTerminal } from '../terminal.ts';
import { badUsage } from '../usage.ts';
import { valueFields } from '../value-fields.ts';
import { versionOption } from '../version-option.ts';

interface GetOptions extends ProfileOption {
  readonly reveal?: true;
  readonly output?: string;
  /** For how many seconds; true where no number was given. */
  readonly clip?: number | true;
  readonly version?: number;
  readonly allowExpired?: true;
  readonly wait?: true;
}

export const define: Define = (command, { output }) => {
  command
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .option('--reveal', 'print the value: exactly its bytes, and nothing else')
    .option('-o, --output <file>', 'put the value into this file, which nobody else can read (0600)')
    .option('--clip [seconds]', `put the value into the clipboard for so long (${clipSeconds})`, secondsOf)
    .option('--version <n>', 'an earlier version that is kept: hush history PATH', versionOption)
    .option('--allow-expired', 'also where the value has expired')
    .option(...waitOption)
    .addHelpText('after', examples)
    .action(async (path: string, options: GetOptions) => {
      const target = targetOf(path, options, process.env);
      const clipboard = await prepare(options);
      const { version, allowExpired } = options;
      const request = {
        ...target,
        ...(version === undefined ? {} : { version }),
        ...(allowExpired === undefined ? {} : { allowExpired }),
      };
      const { value, ...facts } = await withDaemonAlone((daemon) =>
        answerTo(() => daemon.call('secret.get', request), options.wait, output),
      );
      try {
        if (options.output !== undefined) await intoFile(target, facts, value, options.output, output);
        else if (clipboard !== undefined) await intoClipboard(target, facts, value, clipboard, output);
        else await show(target, facts, value, options.reveal, output);
      } finally {
        value.fill(0);
      }
    });
};

type Facts = Omit<ResultOf<'secret.get'>, 'value'>;

interface Clip {
  readonly clipboard: Clipboard;
  readonly seconds: number;
}

const lineFeed = 0x0a;

/** For how long a value is in the clipboard where no number is given, and at most. */
const clipSeconds = 45;
const mostClipSeconds = 3600;

const examples = `
Without --reveal, --output or --clip the value is not shown. A file that --output names is replaced in one step; a link
is refused. What --clip puts there is taken away later, unless something else has been copied by then.

Examples:
  hush get global/db
  hush get global/db --reveal | psql …
  hush get global/tls-key --output server.key
  hush get global/db --clip 20
  hush get global/db --version 3 --reveal`;

function secondsOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw badUsage('the seconds after --clip are not a number: write the path before it', 'get');
  }
  const seconds = Number(text);
  if (seconds >= 1 && seconds <= mostClipSeconds) return seconds;
  throw badUsage(`the seconds after --clip are 1 to ${mostClipSeconds}`, 'get');
}

/** Refuses what cannot be done before the value is asked for; gives the clipboard, where one is meant. */
async function prepare({ reveal, output: file, clip }: GetOptions): Promise<Clip | undefined> {
  if ([reveal, file, clip].filter((given) => given !== undefined).length > 1) {
    throw badUsage('one of --reveal, --output and --clip', 'get');
  }
  if (file === '-') throw badUsage('standard output is --reveal; a file named - is ./-', 'get');
  if (clip === undefined) return undefined;
  const { clipboardOf } = await import('../clipboard.ts');
  return { clipboard: clipboardOf(process.env), seconds: clip === true ? clipSeconds : clip };
}

async function show(
  target: Target,
  facts: Facts,
  value: Uint8Array,
  reveal: true | undefined,
  output: Output,
): Promise<void> {
  const size = value.byteLength;
  if (reveal && !output.json) {
    if (!isTerminal(1)) return output.bytes(value);
    await warnOfTerminal(target, value, output);
    await output.bytes(value);
    // The shell's prompt would stand behind the value, as if it belonged to it; this goes to the other stream.
    if (isTerminal(2) && value.at(-1) !== lineFeed) process.stderr.write('\n');
    return;
  }
  const told = { ...target, ...facts, size };
  if (reveal) return output.facts({ ...told, ...valueFields(value) }, []);
  const expiry = facts.expiresAt === undefined ? '' : `, ${await expiryOf(facts.expiresAt)}`;
  await output.facts(told, [
    `${target.path}: ${sizeText(size)}, version ${facts.version}, updated ${facts.updatedAt}${expiry}`,
  ]);
  await output.note('the value is not shown without --reveal');
}

async function expiryOf(expiresAt: string): Promise<string> {
  const { expiryText } = await import('../expiry.ts');
  return expiryText(expiresAt, new Date());
}

/** A word of warning before a value shows on a terminal. Throws BAD_REQUEST where it would steer the terminal. */
async function warnOfTerminal(target: Target, value: Uint8Array, output: Output): Promise<void> {
  const { isInert } = await import('../inert.ts');
  if (!isInert(value)) {
    throw new HushError(
      'BAD_REQUEST',
      'the value has bytes that would steer this terminal, and is not shown',
      {
        hint: `${typedFor('get', target, process.env)} --reveal | cat -v, or --output FILE`,
      },
    );
  }
  await output.note('the value shows on this terminal, and may stay in its history');
}

async function intoFile(
  target: Target,
  facts: Facts,
  value: Uint8Array,
  name: string,
  output: Output,
): Promise<void> {
  const { writeValueFile } = await import('../value-file.ts');
  const file = await writeValueFile(name, value);
  await output.facts({ ...target, ...facts, size: value.byteLength, file }, [
    `${target.path}, version ${facts.version}, is in ${file}`,
  ]);
}

async function intoClipboard(
  target: Target,
  facts: Facts,
  value: Uint8Array,
  { clipboard, seconds }: Clip,
  output: Output,
): Promise<void> {
  const { copyForAWhile } = await import('../clipboard.ts');
  await copyForAWhile(clipboard, value, seconds, process.env);
  await output.facts(
    { ...target, ...facts, size: value.byteLength, clipboard: clipboard.name, clearedInSeconds: seconds },
    [`${target.path}, version ${facts.version}, is in the clipboard for ${seconds} s`],
  );
}
