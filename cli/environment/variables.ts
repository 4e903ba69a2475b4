import { isForbiddenVariable } from '../../daemon/forbidden-env.ts';
import { joinBytes, wipe } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import type { SecretReference } from '../../protocol/names.ts';
import type { Daemon } from '../daemon.ts';
import { fetchValues } from './fetched-values.ts';
import { problemOf } from './problems.ts';
import { listNames, needsList, selectSecrets, type Selection } from './selection.ts';
import { cutAtReferences, mayHoldReferences, wholeCut, wholeReference, type Cut } from './text-references.ts';

/** Where variables come from. */
export interface VariableSources {
  /** Secrets that become variables by their names; undefined where only references count. */
  readonly selection: Selection | undefined;
  /** Paths of env files. */
  readonly envFiles: readonly string[];
  /** Variables that are there already: those that hold references are resolved. */
  readonly inherited: ReadonlyMap<string, string>;
  /** What keeps a value from being that of a variable where it is to go. */
  readonly faultOf: (variable: string, value: Uint8Array) => HushError | undefined;
}

/** A secret that was used: its reference, where it is, its version, and its value. */
export interface Used {
  readonly reference: string;
  readonly target: SecretReference;
  readonly version: number;
  readonly value: Uint8Array;
}

/** All variables with their values, or all that is wrong with them. */
export interface Variables {
  /** What stands in the way; where there is any, the rest is empty. */
  readonly problems: readonly HushError[];
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly used: readonly Used[];
  /** Patterns that match no secret. */
  readonly unmatched: readonly string[];
  /** Wipes all values. */
  wipe(): void;
}

/** One variable to be: who says so, and what of. */
interface Assignment {
  readonly variable: string;
  /** As problems name it. */
  readonly where: string;
  readonly cut: Cut;
  /** What a person can do where the variable is forbidden. */
  readonly instead: string;
}

/**
 * Finds all variables and reads all values they need, in as few requests as can be. Every problem is collected; a daemon
 * that cannot be asked at all, or an env file that cannot be read, is thrown.
 */
export async function resolveVariables(daemon: Daemon, sources: VariableSources): Promise<Variables> {
  const { selection, envFiles, inherited, faultOf } = sources;
  const problems: HushError[] = [];
  const assignments = new Map<string, Assignment>();
  const names =
    selection !== undefined && needsList(selection)
      ? await listNames(daemon, selection.profile, selection.scope)
      : [];
  const selected = selection && selectSecrets(selection, names);
  if (selection !== undefined) {
    for (const { name, variable } of selected?.secrets ?? []) {
      const path = `${selection.scope}/${name}`;
      add({
        variable,
        where: `${variable} (${path})`,
        cut: wholeCut(selection.profile, path),
        instead: `give it another name: --map ${name}=ENV`,
      });
    }
  }
  if (envFiles.length > 0) {
    const { readEnvFiles } = await import('./env-files.ts');
    const files = readEnvFiles(envFiles);
    problems.push(...files.problems);
    for (const { name, value, line, path } of files.entries.values()) {
      const where = `${name} of ${path}, line ${line}`;
      add({ variable: name, where, cut: cutAtReferences(value), instead: onTheCommand });
    }
  }
  for (const [variable, value] of inherited) {
    if (assignments.has(variable) || !mayHoldReferences(value)) continue;
    const where = `${variable} of the environment`;
    assignments.set(variable, { variable, where, cut: cutAtReferences(value), instead: onTheCommand });
  }

  function add(assignment: Assignment): void {
    const { variable, where } = assignment;
    const other = assignments.get(variable);
    const same = other !== undefined && wholeReference(other.cut) === wholeReference(assignment.cut);
    if (other === undefined || (same && wholeReference(other.cut) !== undefined)) {
      assignments.set(variable, assignment);
      return;
    }
    problems.push(
      new HushError('CONFLICT', `${variable} would be set twice: by ${other.where}, and by ${where}`, {
        hint: 'rename one with --map NAME=ENV, or choose with --only',
      }),
    );
  }

  const free: Assignment[] = [];
  for (const assignment of assignments.values()) {
    const { variable, where, cut, instead } = assignment;
    for (const { error } of cut.faults) problems.push(problemOf(where, error));
    if (!isForbiddenVariable(variable)) free.push(assignment);
    else {
      const message = `${where}: a variable of that name changes which programs or code are run`;
      problems.push(new HushError('FORBIDDEN_ENV', message, { hint: instead }));
    }
  }
  const targets = new Map(free.flatMap(({ cut }) => referencesOf(cut)));
  const fetched = await fetchValues(daemon, targets);
  const values = new Map<string, Uint8Array>();
  for (const { variable, where, cut } of free) {
    const parts: Uint8Array[] = [];
    let whole = cut.faults.length === 0;
    for (const piece of cut.pieces) {
      if ('text' in piece) {
        parts.push(Buffer.from(piece.text));
        continue;
      }
      const one = fetched.of(piece.reference);
      if ('value' in one) parts.push(one.value);
      else {
        whole = false;
        problems.push(problemOf(where.endsWith(')') ? where : `${where} (${piece.reference})`, one.error));
      }
    }
    if (!whole) continue;
    const value = joinBytes(parts);
    values.set(variable, value);
    const fault = faultOf(variable, value);
    if (fault !== undefined) problems.push(problemOf(where, fault));
  }

  const wipeAll = (): void => {
    for (const value of values.values()) wipe(value);
    fetched.wipe();
  };
  const unmatched = selected?.unmatched ?? [];
  if (problems.length > 0) {
    wipeAll();
    return { problems, values: new Map(), used: [], unmatched, wipe: () => undefined };
  }
  const used = [...targets].flatMap(([reference, target]): Used[] => {
    const one = fetched.of(reference);
    return 'value' in one ? [{ reference, target, ...one }] : [];
  });
  return { problems, values, used, unmatched, wipe: wipeAll };
}

const onTheCommand = 'set it for the command itself, without a secret: hush run … -- env NAME=VALUE CMD';

/** The references of a text, each with where it leads. */
export function referencesOf({ pieces }: Cut): [string, SecretReference][] {
  return pieces.flatMap((piece) => ('text' in piece ? [] : [[piece.reference, piece.target]]));
}
