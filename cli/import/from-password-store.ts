import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { diskError, errnoOf } from '../../daemon/home/disk-errors.ts';
import { copyBytes, joinBytes } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { pathFor, type Found, type Harvest, type Naming } from './candidates.ts';

/** The programs whose entries can be imported. */
export type PasswordStore = 'pass' | 'gopass';

/** What is asked for of a password store. */
export interface StoreRequest {
  readonly program: PasswordStore;
  /** Entries and folders of entries; none stands for all. */
  readonly names: readonly string[];
  /** Whether all lines of an entry are taken, not only the first, which is the password. */
  readonly whole: boolean;
  readonly naming: Naming;
  /** Told before each entry is asked for. */
  readonly onEntry: (done: number, total: number) => void;
}

const mostBytes = 1024 * 1024;
const lineFeed = 0x0a;
const keyBlock = new TextEncoder().encode('-----BEGIN ');

/** What a store gave, and how many entries have lines that were left out. */
export interface StoreHarvest extends Harvest {
  readonly shortened: number;
}

/**
 * The entries of a password store, as its own program decrypts them, one after the other: the first line of each, or
 * all of it with `whole` and where it is a block of a key. Entries whose names make none here are problems, and are
 * not decrypted. Throws UNAVAILABLE where the program is not there or refuses, NOT_FOUND for a name that is none,
 * TOO_LARGE.
 */
export async function harvestPasswordStore(request: StoreRequest): Promise<StoreHarvest> {
  const { program, names, whole, naming, onEntry } = request;
  const listing = await entriesOf(program);
  const entries = chosen(listing.entries, names);
  const found: Found[] = [];
  const problems: string[] = [];
  let [empty, shortened] = [0, 0];
  try {
    for (const [done, entry] of entries.entries()) {
      const steps = entry.split('/');
      if (!makesName(steps, naming)) {
        problems.push(`'${entry.slice(0, 80)}' makes no name of a secret`);
        continue;
      }
      onEntry(done, entries.length);
      // An entry of somebody else's store may be called like an option.
      const shown = await show(program, [...listing.show, '--', entry]);
      const { value, isShort } = valueOf(shown, whole);
      if (isShort) shortened += 1;
      if (value.length === 0) empty += 1;
      else found.push({ steps, value });
    }
    return { found, problems, references: 0, empty, shortened };
  } catch (error) {
    for (const { value } of found) value.fill(0);
    throw error;
  }
}

function makesName(steps: readonly string[], naming: Naming): boolean {
  try {
    return pathFor(steps, naming) !== '';
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    return false;
  }
}

/** The password, or the whole entry without the line feed at its end; what was shown is wiped. */
function valueOf(
  shown: Uint8Array,
  whole: boolean,
): { readonly value: Uint8Array<ArrayBuffer>; readonly isShort: boolean } {
  const end = shown.at(-1) === lineFeed ? shown.length - 1 : shown.length;
  const feed = shown.subarray(0, end).indexOf(lineFeed);
  const isBlock = keyBlock.every((byte, at) => shown[at] === byte);
  const isShort = feed >= 0 && !whole && !isBlock;
  const value = copyBytes(shown.subarray(0, isShort ? feed : end));
  shown.fill(0);
  return { value, isShort };
}

/** What a store has, and the words that show an entry in full. */
interface Listing {
  readonly entries: readonly string[];
  readonly show: readonly string[];
}

/**
 * The names of all entries. There are two programs called gopass: gopasspw's lists them for programs; for aviau's, as
 * for pass, they are the files of the store, as it is documented.
 */
async function entriesOf(program: PasswordStore): Promise<Listing> {
  if (program === 'gopass') {
    const { code, bytes } = await run('gopass', ['ls', '--flat'], 'ignore');
    if (code === 0) {
      const lines = Buffer.from(bytes).toString('utf8').split('\n');
      return {
        entries: lines.filter((line) => line !== '').sort(),
        show: ['show', '--noparsing', '--unsafe'],
      };
    }
  }
  const folder = process.env['PASSWORD_STORE_DIR'] || join(homedir(), '.password-store');
  try {
    const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.gpg') && !/(?:^|\/)\./.test(path))
      .map((path) => path.slice(0, -'.gpg'.length))
      .sort();
    return { entries, show: ['show'] };
  } catch (error) {
    throw diskError(
      `cannot list the password store ${folder}`,
      error,
      `where it is elsewhere: PASSWORD_STORE_DIR=FOLDER hush import --from ${program}`,
    );
  }
}

function chosen(entries: readonly string[], names: readonly string[]): readonly string[] {
  if (names.length === 0) return entries;
  const missing = names.filter((name) => !entries.some((entry) => isWithin(entry, name)));
  if (missing.length > 0) {
    throw new HushError('NOT_FOUND', `the password store has no entry ${missing.join(', ')}`, {
      hint: 'name entries and folders as the store lists them, or none for all',
    });
  }
  return entries.filter((entry) => names.some((name) => isWithin(entry, name)));
}

const isWithin = (entry: string, name: string): boolean =>
  entry === name || entry.startsWith(name.endsWith('/') ? name : `${name}/`);

async function show(program: PasswordStore, args: readonly string[]): Promise<Uint8Array> {
  const { code, bytes } = await run(program, args, 'inherit');
  if (code === 0) return bytes;
  bytes.fill(0);
  const command = [program, ...args].map(shellWord).join(' ');
  throw new HushError('UNAVAILABLE', `${command} ended with exit code ${code}`, {
    hint: `see that it works by itself: ${command}`,
  });
}

/**
 * Runs the program with our terminal, on which it may ask for a passphrase. Throws UNAVAILABLE where there is none,
 * TOO_LARGE for more than `mostBytes`.
 */
function run(
  program: string,
  args: readonly string[],
  stderr: 'inherit' | 'ignore',
): Promise<{ readonly code: number; readonly bytes: Uint8Array }> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HUSH_')));
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['inherit', 'pipe', stderr], env });
    const chunks: Buffer[] = [];
    let length = 0;
    const take = (): Uint8Array => {
      const bytes = joinBytes(chunks);
      for (const chunk of chunks) chunk.fill(0);
      return bytes;
    };
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > mostBytes) child.kill();
    });
    child.on('error', (error) => {
      for (const chunk of chunks) chunk.fill(0);
      const missing = errnoOf(error) === 'ENOENT';
      reject(
        missing
          ? new HushError('UNAVAILABLE', `${program} is not installed`, {
              hint: `install ${program}, then try again`,
            })
          : diskError(`cannot run ${program}`, error),
      );
    });
    child.on('close', (code) => {
      const bytes = take();
      if (length <= mostBytes) {
        resolve({ code: code ?? 1, bytes });
        return;
      }
      bytes.fill(0);
      const command = [program, ...args].map(shellWord).join(' ');
      reject(
        new HushError('TOO_LARGE', `${command} shows more than ${mostBytes} bytes`, {
          hint: 'name the entries that are to be imported, without this one',
        }),
      );
    });
  });
}
