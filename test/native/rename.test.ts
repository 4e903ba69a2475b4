import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

import { exchangeNames, renameIfFree } from '../../native/rename.ts';

const folder = mkdtempSync(join(tmpdir(), 'hushd-rename-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const at = (name: string): string => join(folder, name);

describe('rename', () => {
  test('a rename onto a free name is done, and onto a taken one refused with both left as they are', () => {
    writeFileSync(at('a'), 'a');
    writeFileSync(at('b'), 'b');
    assert.throws(() => renameIfFree(at('a'), at('b')), { code: 'EXISTS' });
    assert.equal(readFileSync(at('b'), 'utf8'), 'b');
    assert.equal(renameIfFree(at('a'), at('free')), true);
    assert.equal(readFileSync(at('free'), 'utf8'), 'a');
    assert.throws(() => renameIfFree(at('missing'), at('other')), { code: 'UNAVAILABLE', message: /ENOENT/ });
  });

  test('two folders that are not empty change their names', () => {
    for (const name of ['one', 'two']) {
      mkdirSync(at(name));
      writeFileSync(join(at(name), name), name);
    }
    assert.equal(exchangeNames(at('one'), at('two')), true);
    assert.deepEqual([readdirSync(at('one')), readdirSync(at('two'))], [['two'], ['one']]);
    assert.throws(() => exchangeNames(at('one'), at('missing')), { code: 'UNAVAILABLE', message: /ENOENT/ });
  });
});
