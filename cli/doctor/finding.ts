import { diskError, errnoOf } from '../../daemon/home/disk-errors.ts';
import { HushError } from '../../protocol/errors.ts';

/** How bad a finding is: nothing to do, something to know of, something to mend. */
export const findingStates = ['ok', 'warning', 'problem'] as const;
export type FindingState = (typeof findingStates)[number];

/** One thing that `hush doctor` looked at. */
export interface Finding {
  /** What was looked at; a stable name. */
  readonly check: string;
  readonly state: FindingState;
  readonly message: string;
  /** How to mend it. */
  readonly hint?: string;
}

/** The worst state among findings. */
export function worstOf(findings: readonly Finding[]): FindingState {
  return findingStates.findLast((state) => findings.some((finding) => finding.state === state)) ?? 'ok';
}

/** The findings of a check that may itself fail, with a HushError or in the system: then the error is the finding. */
export async function attemptCheck(
  check: string,
  look: () => Promise<readonly Finding[]> | readonly Finding[],
): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof HushError) && errnoOf(error) === undefined) throw error;
    const { message, hint } = diskError('cannot look', error);
    const isOwnAdvice = hint === 'hush doctor';
    return [{ check, state: 'problem', message, ...(hint && !isOwnAdvice && { hint }) }];
  }
}
