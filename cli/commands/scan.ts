import { resolve } from 'node:path';
import { printableJson } from '../../protocol/printable.ts';
import type { Define } from '../commands.ts';
import { formatOf } from '../configure/formats.ts';
import { countText } from '../format.ts';
import { packageVersion } from '../package.ts';
import { inOrder, type Finding, type SkippedFile } from '../scan/finding.ts';
import { checkReferences, referenceRules } from '../scan/references.ts';
import { sarifOf } from '../scan/sarif.ts';
import { modeRules, scanBuffer, scanFile, type PlacedReference } from '../scan/scan-file.ts';
import { allRules } from '../scan/scan-text.ts';
import { valueRules } from '../scan/value-rules.ts';
import { reasonOf, walk } from '../scan/walk.ts';
import { createStatusLine, type StatusLine } from '../status-line.ts';
import { badUsage } from '../usage.ts';

interface ScanOptions {
  readonly strict?: true;
  readonly sarif?: true;
  readonly rules?: true;
}

const examples = `
Looks through TOML, YAML, JSON, .env, INI and properties files, and through every file that is named itself; in folders
it passes over .git and node_modules. It tells where secrets stand in plain text, by their shape, their names, or
because they look random, and never what they are; references that are malformed, that lead nowhere or to an expired
value (as far as the daemon answers); and files with such things that others can reach.

A line with the comment  hush-scan: ignore  is passed over.

Examples:
  hush scan .
  hush scan --strict --sarif . > hush.sarif`;

export const define: Define = (command, { output, finish }) => {
  command
    .argument('[path...]', 'files and folders')
    .option('--strict', 'end with exit code 1 where anything was found or could not be read')
    .option('--sarif', 'print the findings as SARIF 2.1.0')
    .option('--rules', 'list the rules, and look at nothing')
    .addHelpText('after', examples)
    .action(async (paths: readonly string[], { strict, sarif, rules: listRules }: ScanOptions) => {
      const rules = allRules(Object.values({ ...valueRules, ...referenceRules, ...modeRules }));
      if (listRules) {
        await output.facts(
          { rules },
          rules.map(({ id, severity, message }) => `${severity} ${id}: ${message}`),
        );
        return;
      }
      if (paths.length === 0) throw badUsage('PATH is missing', 'scan');
      const seen = look(paths, createStatusLine(!output.json));
      const { findings: ofReferences, ...references } = await checkReferences(seen.references);
      const findings = [...seen.findings, ...ofReferences].sort(inOrder);
      const { files, bytes, ignored, omitted, skipped } = seen;
      if (sarif) {
        await output.bytes(
          Buffer.from(`${printableJson(sarifOf(findings, skipped, rules, packageVersion()))}\n`),
        );
      } else {
        await output.facts(
          { files, bytes, findings, ignored, omitted, references, skipped },
          findings.map(
            (one) => `${one.file}:${one.line}:${one.column}: ${one.severity} ${one.rule}: ${one.message}`,
          ),
        );
      }
      for (const { file, reason } of skipped) await output.note(`${file} was not read: ${reason}`);
      if (references.unchecked > 0) {
        const count = countText(references.unchecked, 'reference was', 'references were');
        await output.note(`${count} not checked: ${references.reason ?? ''}`);
      }
      if (omitted > 0) await output.note(`${omitted} more of files that have very many are not shown`);
      const found = findings.length === 0 ? 'nothing found' : countText(findings.length, 'finding');
      await output.note(
        `${found} in ${countText(files, 'file')}${ignored > 0 ? `, ${ignored} ignored` : ''}`,
      );
      if (strict && findings.length + skipped.length + omitted > 0) finish(1);
    });
};

const notText = 'it is binary, UTF-16 or no regular file';

/** All that is found in all files, each looked at once. */
function look(
  paths: readonly string[],
  status: StatusLine,
): {
  readonly files: number;
  readonly bytes: number;
  readonly findings: readonly Finding[];
  readonly references: readonly PlacedReference[];
  readonly ignored: number;
  readonly omitted: number;
  readonly skipped: readonly SkippedFile[];
} {
  const buffer = scanBuffer();
  const done = new Set<string>();
  const findings: Finding[] = [];
  const references: PlacedReference[] = [];
  const skipped: SkippedFile[] = [];
  let [files, bytes, ignored, omitted] = [0, 0, 0, 0];
  try {
    for (const { path, problem } of paths.flatMap((one) => [...walk(one)])) {
      status.show(() => `${countText(done.size, 'file')} looked through`);
      if (done.has(resolve(path))) continue;
      done.add(resolve(path));
      if (problem !== undefined) {
        skipped.push({ file: path, reason: problem });
        continue;
      }
      try {
        const scanned = scanFile(path, buffer);
        if (scanned === undefined) {
          if (formatOf(path) !== undefined) skipped.push({ file: path, reason: notText });
          continue;
        }
        files += 1;
        bytes += scanned.bytes;
        ignored += scanned.ignored;
        omitted += scanned.omitted;
        findings.push(...scanned.findings);
        references.push(...scanned.references);
      } catch (error) {
        skipped.push({ file: path, reason: reasonOf(error) });
      }
    }
  } finally {
    status.clear();
    buffer.fill(0);
  }
  return { files, bytes, findings, references, ignored, omitted, skipped };
}
