/** How bad a finding is: a secret for certain, most likely one, and what is worth a look. */
export type Severity = 'high' | 'medium' | 'low';

/** What a rule finds. Its texts are the same for every finding: nothing of what a file holds is ever told. */
export interface Rule {
  readonly id: string;
  readonly severity: Severity;
  /** What was found, as it stands behind a finding's place. */
  readonly message: string;
}

/** One place of a file that a rule speaks of. */
export interface Finding {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters of the line. */
  readonly column: number;
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
}

/** A file or folder that was not looked through, and why. */
export interface SkippedFile {
  readonly file: string;
  readonly reason: string;
}

/** A place in a chunk of text. */
export interface Hit {
  readonly rule: Rule;
  /** Where it begins in the chunk. */
  readonly at: number;
}

/** The order of findings: by file, then by place. */
export function inOrder(one: Finding, other: Finding): number {
  if (one.file !== other.file) return one.file < other.file ? -1 : 1;
  return one.line - other.line || one.column - other.column || (one.rule < other.rule ? -1 : 1);
}
