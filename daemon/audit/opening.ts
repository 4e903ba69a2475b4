import { HushError } from '../../protocol/errors.ts';
import { createAuditClock } from './clock.ts';
import {
  type AuditEntry,
  chainFormat,
  type ChainHead,
  noHash,
  readRecord,
  recordLine,
  type RecordPrefix,
  recordPrefix,
} from './records.ts';
import { firstLine, linesFromEnd } from './tail.ts';

/** The records that a chain begins with, or that tell of a repaired end, to be appended behind `end`. */
export function openingLines(
  end: ChainHead,
  name: string,
  length: number,
  tornBytes: number,
): { readonly text: string; readonly head: ChainHead } {
  const clock = createAuditClock();
  const who = processPrefix();
  let text = '';
  let head = end;
  const add = (event: string, detail: AuditEntry['detail'] & {}): void => {
    const line = recordLine({ event, who, outcome: 'ok', detail }, head, clock());
    text += line.text;
    head = { seq: line.seq, hash: line.hash };
  };
  if (length === 0) add('chain.start', { chain: name, format: chainFormat });
  if (tornBytes > 0) add('audit.repaired', { droppedBytes: tornBytes });
  return { text, head };
}

/**
 * The last record of a file whose first record says that it is a chain of this format; its first `length` bytes are whole
 * lines. Throws NEWER_FORMAT, or INTEGRITY if either record was changed.
 */
export function endOf(fd: number, length: number): ChainHead {
  if (length === 0) return { seq: 0, hash: noHash };
  const first = readRecord(firstLine(fd, length));
  const format = first.event === 'chain.start' ? first.detail['format'] : undefined;
  if (typeof format !== 'number')
    throw new HushError('INTEGRITY', 'the audit does not begin with its first record');
  if (format > chainFormat) throw new HushError('NEWER_FORMAT');
  const [last] = linesFromEnd(fd, length);
  const { seq, hash } = last === undefined ? first : readRecord(last);
  return { seq, hash };
}

/** The daemon itself as the actor of a record. */
export function processPrefix(): RecordPrefix {
  return recordPrefix({
    client: 'daemon',
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    pid: process.pid,
  });
}
