import { HushError, reportOf, type ErrorCode } from '../protocol/errors.ts';
import type { ApprovalEvent } from './approvals/approvals.ts';
import type { AuditEntry } from './audit/records.ts';
import type { StubFacts } from './audit/stubs.ts';
import type { JournalChain } from './journal.ts';
import type { Logger } from './log.ts';
import type { LockReason } from './profiles/locking.ts';
import type { Raised } from './profiles/slots.ts';
import type { GuardTrouble } from './unlock/guard.ts';

/** Where events of the daemon itself are told. */
interface EventNotesParts {
  readonly log: Logger;
  readonly note: (event: string, detail: AuditEntry['detail'], profile?: string, code?: ErrorCode) => void;
}

/** Puts into log and audit what the daemon's parts did by themselves, or could not do. */
export interface EventNotes {
  /** The last records before a lock could not be sealed, and so are not on record either. */
  unsealed(profile: string, error: unknown): void;
  /** The daemon's own audit is not the one that a profile's seals vouch for. */
  daemonDoubt(profile: string, error: HushError): void;
  guardTrouble(profile: string, trouble: GuardTrouble): void;
  raised(profile: string, outcome: Raised): void;
  approval(event: ApprovalEvent): void;
  /** What `lock` did, which puts itself on record. */
  autoLock(profile: string, reason: LockReason, lock: () => void): void;
  stub(chain: JournalChain, stub: StubFacts): void;
  kept(chain: JournalChain, error: HushError): void;
  bug(error: unknown): void;
}

/** The notes of a daemon. */
export function createEventNotes({ log, note }: EventNotesParts): EventNotes {
  return {
    unsealed(profile, error) {
      log.error({ event: 'audit.unsealed', profile, message: textOf(error) });
    },
    daemonDoubt(profile, error) {
      log.error({ event: 'audit.doubt', profile, ...reportOf(error) });
      note('audit.doubt', { why: error.message }, profile, error.code);
    },
    guardTrouble(profile, { kind, error }) {
      log.error({ event: `backoff.${kind}`, profile, ...reportOf(error) });
      note(`backoff.${kind}`, { code: error.code }, profile);
    },
    raised(profile, outcome) {
      const { slot } = outcome;
      if ('cost' in outcome) {
        const detail = { slot, ...outcome.cost };
        log.info({ event: 'slot.raised', profile, ...detail });
        note('slot.raised', detail, profile);
      } else {
        const code = outcome.error instanceof HushError ? outcome.error.code : 'UNAVAILABLE';
        log.error({ event: 'slot.raise.failed', profile, slot, message: textOf(outcome.error) });
        note('slot.raise.failed', { slot, code }, profile);
      }
    },
    approval({ kind, request: { id, path, right, asker, by, profile } }) {
      const decided = by === undefined ? {} : { by };
      note(`approval.${kind}`, { id, path, right, client: asker.name, ...decided }, profile);
    },
    autoLock(profile, reason, lock) {
      try {
        lock();
        log.info({ event: 'lock', profile, reason });
      } catch (error) {
        log.error({ event: 'lock', profile, reason, message: textOf(error) });
      }
    },
    stub({ profile }, { segment, firstSeq, lastSeq }) {
      log.info({ event: 'audit.stub', profile, segment });
      note('audit.stub', { segment, firstSeq, lastSeq }, profile);
    },
    kept({ profile }, error) {
      log.error({ event: 'audit.kept', profile, ...reportOf(error) });
      note('audit.kept', { why: error.message }, profile, error.code);
    },
    bug(error) {
      const stack = error instanceof Error ? error.stack : undefined;
      log.error({ event: 'bug', message: textOf(error), stack });
    },
  };
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
