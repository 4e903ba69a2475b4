import { pathToFileURL } from 'node:url';
import { isAbsolute } from 'node:path';
import type { Finding, Rule, Severity, SkippedFile } from './finding.ts';

const levels: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  high: 'error',
  medium: 'warning',
  low: 'note',
};

/**
 * Findings as SARIF 2.1.0 (OASIS), for code hosts and editors, with what could not be looked through. It holds places and
 * the rules' own texts alone.
 */
export function sarifOf(
  findings: readonly Finding[],
  skipped: readonly SkippedFile[],
  rules: readonly Rule[],
  version: string,
): object {
  const indexes = new Map(rules.map(({ id }, index) => [id, index]));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'hush scan',
            version,
            rules: rules.map(({ id, severity, message }) => ({
              id,
              shortDescription: { text: message },
              defaultConfiguration: { level: levels[severity] },
            })),
          },
        },
        invocations: [
          {
            executionSuccessful: skipped.length === 0,
            toolExecutionNotifications: skipped.map(({ file, reason }) => ({
              level: 'error',
              message: { text: `not read: ${reason}` },
              locations: [{ physicalLocation: { artifactLocation: { uri: uriOf(file) } } }],
            })),
          },
        ],
        columnKind: 'unicodeCodePoints',
        results: findings.map(({ file, line, column, rule, severity, message }) => ({
          ruleId: rule,
          ruleIndex: indexes.get(rule) ?? -1,
          level: levels[severity],
          message: { text: message },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: uriOf(file) },
                region: { startLine: line, startColumn: column },
              },
            },
          ],
        })),
      },
    ],
  };
}

/** A path as a URI: relative to where it was looked from, as hosts of code want it, or whole. */
function uriOf(path: string): string {
  if (isAbsolute(path)) return pathToFileURL(path).href;
  return path.split('/').map(encodeURIComponent).join('/');
}
