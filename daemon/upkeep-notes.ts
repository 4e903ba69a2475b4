import type { HushError } from '../protocol/errors.ts';
import type { AuditEntry } from './audit/records.ts';
import type { Logger } from './log.ts';
import type { UpkeepEvent } from './profiles/upkeep.ts';
import type { ResealingEvent } from './vault/resealing.ts';

/** Where events of the daemon itself are put on record. */
export interface UpkeepNotesParts {
  readonly log: Logger;
  readonly note: (event: string, detail: NonNullable<AuditEntry['detail']>, profile: string) => void;
}

type Facts = NonNullable<AuditEntry['detail']>;

/** Puts into log and audit what an unlocked profile did by itself, or could not do. */
export function createUpkeepNotes({
  log,
  note,
}: UpkeepNotesParts): (profile: string, event: UpkeepEvent | ResealingEvent) => void {
  const done = (event: string, profile: string, facts: Facts): void => {
    log.info({ event, profile, ...facts });
    note(event, facts, profile);
  };
  const failed = (event: string, profile: string, error: HushError, facts: Facts): void => {
    log.error({ event, profile, ...facts, code: error.code, message: error.message });
    note(event, { ...facts, code: error.code }, profile);
  };

  return (profile, event) => {
    switch (event.kind) {
      case 'rotated':
        for (const { keyring, tenant, version, reason } of event.lines) {
          const whose: Facts = tenant === '' ? {} : { tenant };
          done('keys.rotated', profile, { keyring, ...whose, version: version + 1, reason });
        }
        break;
      case 'done': {
        const { moved, elapsedMs, retired } = event;
        done('keys.resealed', profile, { moved, elapsedMs: Math.round(elapsedMs), retired });
        break;
      }
      case 'stalled': {
        const { moved, left, error } = event;
        failed('keys.resealing.failed', profile, error, { moved, left });
        break;
      }
      case 'failed':
        failed('upkeep.failed', profile, event.error, {});
    }
  };
}
