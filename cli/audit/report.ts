import type { BadRecord, Verification } from '../../daemon/audit/verify.ts';
import { countText } from '../format.ts';
import type { Comparison } from './checkpoints.ts';

/** What a verification of one chain came to. */
export interface ChainReport {
  readonly chain: string;
  readonly files: number;
  readonly verification: Verification;
  readonly bad: BadRecord | undefined;
  /** Seals and stubs that a key has proved, and those of other profiles that are not open; or why none was asked. */
  readonly proved: { readonly lines: number; readonly foreign: number } | { readonly why: string };
  /** The place that the vault remembers. */
  readonly remembered: number | undefined;
  /** Whether seals of its own vouch for it; else those of a profile. */
  readonly isSealed: boolean;
  /** For a chain that others vouch for: how many places of it their seals remember. */
  readonly vouched: { readonly places: number; readonly lastSeq: number } | undefined;
  /** For such a chain: how many places of others they remember. */
  readonly vouchedElsewhere?: number;
  /** For such a chain: the last record of the profile whose seals could be read, where that is damaged. */
  readonly sealsReadTo?: number;
  readonly checkpoints: Comparison | undefined;
}

/** The facts of a report under the names that `--json` has for them. */
export function jsonOfReport(report: ChainReport): object {
  const { verification: found, bad, proved, remembered, vouched, checkpoints } = report;
  const { vouchedElsewhere = 0, sealsReadTo } = report;
  const { stubbed } = found;
  return {
    chain: report.chain,
    ok: bad === undefined,
    files: report.files,
    records: found.records,
    firstSeq: found.firstSeq,
    lastSeq: found.head.seq,
    lastHash: found.head.hash,
    ...(found.start === undefined ? {} : { start: found.start }),
    ...(report.isSealed
      ? { seals: found.seals, sealedSeq: found.sealedSeq, unsealed: found.head.seq - found.sealedSeq }
      : {}),
    ...('why' in proved ? { proved: 0, notProved: proved.why } : { proved: proved.lines }),
    ...('why' in proved || proved.foreign === 0 ? {} : { foreign: proved.foreign }),
    ...(vouched === undefined ? {} : { vouchedPlaces: vouched.places, vouchedSeq: vouched.lastSeq }),
    ...(vouchedElsewhere === 0 ? {} : { vouchedElsewhere }),
    ...(sealsReadTo === undefined ? {} : { sealsReadTo }),
    ...(remembered === undefined ? {} : { rememberedSeq: remembered }),
    ...(stubbed === undefined ? {} : { stubbed }),
    ...(checkpoints === undefined || bad !== undefined ? {} : { checkpoints }),
    ...(found.doubts === 0 ? {} : { doubts: found.doubts, doubtSeq: found.doubtSeq }),
    lost: found.lost,
    tornBytes: found.tornBytes,
    ...(bad === undefined ? {} : { bad }),
  };
}

/** The lines that tell of a report. */
export function textOfReport(report: ChainReport): string[] {
  const { chain, files, verification: found, bad, proved, vouched, checkpoints } = report;
  const { records, head, stubbed, seals, sealedSeq, doubts, doubtSeq, lost, tornBytes } = found;
  const unsealed = head.seq - sealedSeq;
  const lines: string[] = [];
  if (bad === undefined) {
    lines.push(
      `${chain}: whole: ${countText(records, 'record')} in ${countText(files, 'file')}, up to #${head.seq}`,
    );
  } else {
    lines.push(
      `${chain}: not as it was written: ${bad.file}, line ${bad.line}, record #${bad.seq}: ${bad.why}`,
    );
    lines.push(`  ${countText(records, 'record')} before that ${records === 1 ? 'is' : 'are'} in order`);
  }
  if (stubbed !== undefined) {
    const { firstSeq, lastSeq, firstTime, lastTime } = stubbed;
    lines.push(`  #${firstSeq} to #${lastSeq}, ${firstTime} to ${lastTime}, are told of by stubs only`);
  }
  if (report.isSealed) {
    const sealed =
      seals === 0 ? 'nothing was ever sealed' : `${countText(seals, 'seal')}, the last at #${sealedSeq}`;
    lines.push(`  ${sealed}${seals === 0 ? '' : `, ${provedText(proved)}`}`);
    if (unsealed > 0 && bad === undefined) {
      lines.push(`  ${countText(unsealed, 'record')} after that: not sealed yet, and vouched for by nothing`);
    }
  }
  if (!report.isSealed && stubbed !== undefined) lines.push(`  the stubs: ${provedText(proved)}`);
  if (vouched !== undefined) {
    lines.push(`  seals of the profile vouch for it up to #${vouched.lastSeq}`);
  }
  const { vouchedElsewhere = 0, sealsReadTo } = report;
  if (vouchedElsewhere > 0)
    lines.push(
      `  ${countText(vouchedElsewhere, 'place')} that seals vouch for ${vouchedElsewhere === 1 ? 'is' : 'are'} of another daemon's audit, which is not here`,
    );
  if (sealsReadTo !== undefined)
    lines.push(`  compared with the seals of the profile up to its #${sealsReadTo} only`);
  if (report.remembered !== undefined) lines.push(`  the vault remembers #${report.remembered}`);
  if (checkpoints !== undefined && bad === undefined) {
    const { passed, unseen, others } = checkpoints;
    lines.push(
      passed + unseen === 0
        ? `  none of ${countText(others, 'checkpoint')} is of this audit`
        : `  ${countText(passed, 'checkpoint')} passed${unseen === 0 ? '' : `, ${unseen} of records that are not here`}${others === 0 ? '' : `, ${others} of other audits`}`,
    );
  }
  if (doubts > 0)
    lines.push(
      `  ${countText(doubts, 'doubt')} of the daemon's own audit on record, the last at #${doubtSeq}`,
    );
  if (lost > 0) lines.push(`  ${countText(lost, 'record')} could not be written when they were made`);
  if (tornBytes > 0)
    lines.push(
      `  ${countText(tornBytes, 'byte')} at the end are no whole line: a crash, or a write under way`,
    );
  return lines;
}

function provedText(proved: ChainReport['proved']): string {
  if ('why' in proved) return `not proved: ${proved.why}`;
  return proved.foreign === 0
    ? 'proved'
    : `proved, but for ${proved.foreign} of other profiles, which are not open`;
}
