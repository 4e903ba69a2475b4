import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const program = fileURLToPath(new URL('../python/sealed_values.py', import.meta.url));
const answer = z.union([z.strictObject({ ok: z.unknown() }), z.strictObject({ refused: z.literal(true) })]);

/** What the Python program makes of each job; `undefined` for what it refuses. */
export function inPython(jobs: readonly object[]): unknown[] {
  const { status, stdout, stderr } = spawnSync('python3', [program], {
    input: jobs.map((job) => `${JSON.stringify(job)}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, jobs.length);
  return lines.map((line) => {
    const told = answer.parse(JSON.parse(line));
    return 'ok' in told ? told.ok : undefined;
  });
}
