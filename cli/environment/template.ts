import { basename } from 'node:path';
import { parseEnv } from 'node:util';
import { isForbiddenVariable } from '../../daemon/forbidden-env.ts';
import { joinBytes } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import type { Daemon } from '../daemon.ts';
import { readInput } from '../input.ts';
import { parseEnvFile, type EnvEntry, type EnvFault } from './env-file.ts';
import { fetchValues } from './fetched-values.ts';
import { readGivenFile } from './given-file.ts';
import { problemOf } from './problems.ts';
import { cutAtReferences, mayHoldReferences } from './text-references.ts';
import { bufferOf } from './value-text.ts';
import { referencesOf } from './variables.ts';

/** A file with references: any bytes. */
export interface Template {
  /** As problems name it. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A template with the values in their places, or all that stands in the way of that. */
export interface Filled {
  readonly problems: readonly HushError[];
  /** One after the other they are the file. */
  readonly parts: readonly Uint8Array[];
  /** How many places were filled. */
  readonly references: number;
  /** Wipes the values. */
  wipe(): void;
}

const mostBytes = 16 * 1024 * 1024;

/** Reads a template; `-` is standard input. Throws BAD_REQUEST, TOO_LARGE. */
export async function readTemplate(path: string): Promise<Template> {
  if (path === '-') return { name: 'standard input', bytes: await readInput(mostBytes) };
  return { name: path, bytes: readGivenFile(path, 'template', mostBytes) };
}

/** Puts the values in the places of the references. Where the file is an env file, what is put in stays one value. */
export async function fillTemplate(
  daemon: Daemon,
  { name, bytes }: Template,
  { input, output }: { readonly input: string; readonly output: string },
): Promise<Filled> {
  // One character a byte: whatever the file is, its bytes come back as they were.
  const text = bufferOf(bytes).toString('latin1');
  const cut = cutAtReferences(text);
  const problems = cut.faults.map(({ line, error }) => problemOf(`${name}, line ${line}`, error));
  const targets = new Map(referencesOf(cut));
  const fetched = await fetchValues(daemon, targets);
  for (const reference of targets.keys()) {
    const one = fetched.of(reference);
    if ('error' in one) problems.push(problemOf(`${name}: ${reference}`, one.error));
  }
  const parts = cut.pieces.map((piece) => {
    if ('text' in piece) return Buffer.from(piece.text, 'latin1');
    const one = fetched.of(piece.reference);
    return 'value' in one ? one.value : Buffer.alloc(0);
  });
  if (isEnvFile(input) || isEnvFile(output)) {
    const whole = joinBytes(parts);
    problems.push(
      ...problemsOfEnvFile(name, text, whole, problems.length === 0, (reference) => {
        const one = fetched.of(reference);
        return 'value' in one ? one.value : undefined;
      }),
    );
    whole.fill(0);
  }
  return { problems, parts, references: referencesOf(cut).length, wipe: fetched.wipe };
}

/** Whether a file of this name is read as an env file: `.env`, `.env.local`, `app.env`, and such with `.tpl` behind. */
const isEnvFile = (path: string): boolean => /^(?:.*\.)?env(?:\.[\w.-]+)?$/.test(basename(path));

/**
 * What is wrong with an env file by what was put in: a variable that no secret may become, and a value that is not read
 * back as it is, because a quote or a line feed in it ends it or makes another variable.
 */
function problemsOfEnvFile(
  name: string,
  template: string,
  filled: Uint8Array,
  isWhole: boolean,
  valueOf: (reference: string) => Uint8Array | undefined,
): HushError[] {
  const { entries: before, faults } = parseEnvFile(template);
  const problems = [...before, ...colonEntries(template, faults)]
    .filter(({ name: variable, value }) => mayHoldReferences(value) && isForbiddenVariable(variable))
    .map(({ name: variable, line }) => {
      const what = `${name}, line ${line}: ${variable} changes which programs or code are run`;
      return new HushError('FORBIDDEN_ENV', what, { hint: 'give the secret to another variable' });
    });
  if (!isWhole || problems.length > 0) return problems;
  const text = bufferOf(filled).toString('latin1');
  const { entries: after, faults: faultsAfter } = parseEnvFile(text);
  // Node and the package dotenv end a bare value at `#`, and know other escapes.
  const expected = new Map(Object.entries(parseEnv(template)));
  const found = new Map(Object.entries(parseEnv(text)));
  const changed = before.find(({ name: variable, value }, index) => {
    const ours = after[index];
    const theirs = expected.get(variable);
    return (
      ours?.name !== variable ||
      ours.value !== withValues(value, valueOf) ||
      found.get(variable) !== (theirs && withValues(theirs, valueOf))
    );
  });
  const isSame =
    after.length === before.length && faultsAfter.length === faults.length && found.size === expected.size;
  if (changed === undefined && isSame) return [];
  const what =
    changed === undefined
      ? `${name}: a value would be read as lines of its own`
      : `${name}, line ${changed.line}: the value of ${changed.name} would not be read back as it is`;
  return [
    new HushError('BAD_REQUEST', what, { hint: 'quote the reference, or take hush env --format dotenv' }),
  ];
}

/** What the package dotenv takes for a variable and others do not: `NAME: VALUE`. */
function colonEntries(template: string, faults: readonly EnvFault[]): EnvEntry[] {
  const lines = template.split('\n');
  return faults.flatMap(({ line }) => {
    const [, name, value] = /^\s*(?:export\s+)?([\w.-]+):\s(.*)/.exec(lines[line - 1] ?? '') ?? [];
    return name === undefined || value === undefined ? [] : [{ name, value, line }];
  });
}

/** A value of the template with the values in the places of its references, one character a byte. */
function withValues(value: string, valueOf: (reference: string) => Uint8Array | undefined): string {
  return cutAtReferences(value)
    .pieces.map((piece) => {
      if ('text' in piece) return piece.text;
      const bytes = valueOf(piece.reference) ?? new Uint8Array();
      return bufferOf(bytes).toString('latin1');
    })
    .join('');
}
