import type { Entry, ShownRecord } from './entry.ts';
import type { Place } from './walk.ts';

/** Texts of a damaged line that are shown: it may be of any length. */
const mostShown = 200;

/** The line of text that shows an entry; not inert yet. */
export function textOfEntry(entry: Entry & Place): string {
  switch (entry.kind) {
    case 'record':
      return textOfRecord(entry.record);
    case 'stub': {
      const { segment, firstSeq, lastSeq, firstTime, lastTime } = entry.stub;
      return `-- records ${firstSeq} to ${lastSeq}, ${firstTime} to ${lastTime}, are not kept: segment ${segment} is a stub`;
    }
    case 'damaged': {
      const text = entry.bytes.toString('latin1', 0, mostShown);
      return `!! damaged: ${entry.file}, line ${entry.line}: ${entry.why}: ${text}${entry.bytes.length > mostShown ? '…' : ''}`;
    }
  }
}

function textOfRecord({
  time,
  seq,
  event,
  outcome,
  code,
  client,
  uid,
  pid,
  exe,
  key,
  commit,
  detail,
}: ShownRecord): string {
  const result = code === undefined ? (outcome ?? '') : `${outcome ?? ''} ${code}`;
  const who = `${client ?? '?'} (uid ${uid ?? '?'}, pid ${pid ?? '?'}${exe === undefined ? '' : `, ${exe}`})`;
  const facts = [
    ...(commit === undefined ? [] : [`commit ${commit}`]),
    ...(detail === undefined ? [] : [JSON.stringify(detail)]),
  ];
  return [time, `#${seq}`, event, ...(key === undefined ? [] : [key]), result, who, ...facts].join('  ');
}

/** What `--json` shows of an entry. */
export function jsonOfEntry(entry: Entry & Place): object {
  switch (entry.kind) {
    case 'record':
      return entry.record;
    case 'stub': {
      const { segment, firstSeq, lastSeq, firstTime, lastTime } = entry.stub;
      return { stub: { segment, firstSeq, lastSeq, firstTime, lastTime } };
    }
    case 'damaged':
      return {
        damaged: { file: entry.file, line: entry.line, why: entry.why, text: entry.bytes.toString('latin1') },
      };
  }
}
