import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dotenv, shell } from '../../../cli/environment/written.ts';

test('there may be more variables than a call takes arguments', () => {
  const values = new Map(Array.from({ length: 150_000 }, (_, index) => [`V${index}`, Buffer.from('v')]));
  for (const { write } of [shell, dotenv]) {
    const written = write(values);
    assert.equal(written.filter((byte) => byte === 0x0a).length, values.size);
  }
});
