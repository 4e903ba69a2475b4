import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorTable } from '../../protocol/errors.ts';
import { decodeMessage } from '../../protocol/frames.ts';
import { gateOrder, operations } from '../../protocol/operations.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const sections = new Map(
  [...page.matchAll(/^### (\S+)\n([\s\S]*?)(?=^##)/gm)].map(([, name = '', text = '']) => [name, text]),
);

test('docs/protocol.md has a section for every operation, and for no other', () => {
  assert.deepEqual([...sections.keys()].sort(), Object.keys(operations).sort());
});

test('each section names the gates that the operation passes, and its parameters', () => {
  for (const [name, operation] of Object.entries(operations)) {
    const text = sections.get(name) ?? '';
    const listed = /^Gates: ([^.;]*)/m.exec(text)?.[1];
    const gates = operation.gates.length === gateOrder.length ? 'all' : operation.gates.join(', ') || 'none';
    assert.equal(listed, gates, name);
    if (!text.includes('Params: as')) {
      for (const param of Object.keys(operation.params.shape))
        assert.ok(text.includes(`\`${param}\``), `${name}: ${param}`);
    }
  }
});

test('the table of errors in docs/protocol.md is the one that the code goes by', () => {
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (\d+) \|/gm)].map(([, code, exit]) => [
    code,
    Number(exit),
  ]);
  assert.deepEqual(
    Object.fromEntries(rows),
    Object.fromEntries(Object.entries(errorTable).map(([code, { exit }]) => [code, exit])),
  );
});

test('the bytes of the example are the message that it says', () => {
  const hex = /^((?:[0-9a-f]{2} +){36}[0-9a-f]{2})$/m.exec(page)?.[1];
  const bytes = Buffer.from((hex ?? '').replaceAll(' ', ''), 'hex');
  assert.equal(bytes.readUInt32BE(0), bytes.length - 4);
  assert.deepEqual(decodeMessage(bytes, 4, bytes.length), { id: 1, op: 'hello', params: { versions: [1] } });
});
