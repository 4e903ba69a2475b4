import assert from 'node:assert/strict';
import fs, { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import {
  finishReplacements,
  keptFolder,
  refuseWhileReplaced,
  replaceFolder,
  replacementTime,
  type Replacement,
} from '../../daemon/profiles/exchange.ts';
import { parseProfileName } from '../../protocol/names.ts';

const name = parseProfileName('a-profile-2');

/** A folder of profiles in which one says `before`, and a folder beside it that is to take its place and says `after`. */
function prepared(t: TestContext): Replacement {
  const profiles = mkdtempSync(join(tmpdir(), 'hushd-exchange-'));
  t.after(() => rmSync(profiles, { recursive: true }));
  const fresh = join(profiles, '.new-0123456789abcdef');
  for (const [folder, text] of [
    [join(profiles, name), 'before'],
    [fresh, 'after'],
  ] as const) {
    mkdirSync(folder);
    writeFileSync(join(folder, 'says'), text);
  }
  return { profiles, name, time: replacementTime(), fresh };
}

/** What each folder of the profiles says. */
const found = ({ profiles }: Replacement): Record<string, string> =>
  Object.fromEntries(
    readdirSync(profiles).map((entry) => [
      entry.replace(/\d{4}-.*/, 'TIME'),
      readFileSync(join(profiles, entry, 'says'), 'utf8'),
    ]),
  );

const asBefore = { [name]: 'before', '.new-0123456789abcdef': 'after' };
const replaced = { [name]: 'after', [`.replaced-${name}-TIME`]: 'before' };

/** Has renames fail, as on a disk with an error: those that `fails` says by their number, from 1 on. */
function renamesFail(t: TestContext, fails: (number: number) => boolean): () => void {
  const real = fs.renameSync;
  let number = 0;
  const failing: typeof fs.renameSync = (from, to) => {
    number++;
    if (fails(number)) throw Object.assign(new Error('EIO'), { code: 'EIO', errno: -5 });
    real(from, to);
  };
  const put = (rename: typeof fs.renameSync): void => {
    fs.renameSync = rename;
    syncBuiltinESMExports();
  };
  put(failing);
  const mend = (): void => put(real);
  t.after(mend);
  return mend;
}

const cannot = (): boolean => false;

describe('a folder that takes the place of a profile', () => {
  test('has it in one step where the file system can do that, and the state before is kept', (t) => {
    const replacement = prepared(t);
    assert.equal(replaceFolder(replacement), keptFolder(replacement));
    assert.deepEqual(found(replacement), replaced);
    assert.deepEqual(finishReplacements(replacement.profiles), []);
  });

  test('has it all the same where the file system cannot', (t) => {
    const replacement = prepared(t);
    assert.equal(replaceFolder(replacement, cannot), keptFolder(replacement));
    assert.deepEqual(found(replacement), replaced);
  });

  test('leaves the profile as it was when any of the renames fails, and never removes either state', (t) => {
    // To the name for the state before and back, the profile away, the folder into its place: what follows needs nothing.
    for (let failing = 1; failing <= 4; failing++) {
      const replacement = prepared(t);
      const mend = renamesFail(t, (number) => number === failing);
      assert.throws(() => replaceFolder(replacement, cannot), { code: 'UNAVAILABLE' }, `rename ${failing}`);
      mend();
      const state = found(replacement);
      assert.equal(state[name], 'before', `rename ${failing}`);
      assert.deepEqual(Object.values(state).sort(), ['after', 'before'], `rename ${failing}`);
    }
    const replacement = prepared(t);
    const mend = renamesFail(t, (number) => number === 5);
    const place = replaceFolder(replacement, cannot);
    mend();
    assert.equal(readFileSync(join(place, 'says'), 'utf8'), 'before');
    assert.deepEqual(finishReplacements(replacement.profiles), [{ profile: name, isBack: false }]);
    assert.deepEqual(found(replacement), replaced);
  });

  test('that was cut off after any of the renames leaves one state in place and the other beside it', (t) => {
    for (let last = 0; last <= 5; last++) {
      const replacement = prepared(t);
      // Nothing after it succeeds, the way back included: that is what a crash leaves.
      const mend = renamesFail(t, (number) => number > last);
      try {
        replaceFolder(replacement, cannot);
      } catch {
        // It is what is on the disk that counts.
      }
      mend();
      const where = `after ${last} renames`;
      if (last === 3) {
        assert.throws(() => refuseWhileReplaced(replacement.profiles, name), {
          code: 'CONFLICT',
          hint: /hush start/,
        });
      } else refuseWhileReplaced(replacement.profiles, name);
      finishReplacements(replacement.profiles);
      const state = found(replacement);
      assert.equal(state[name], last < 4 ? 'before' : 'after', where);
      assert.deepEqual(Object.values(state).sort(), ['after', 'before'], where);
      if (last >= 4) assert.deepEqual(state, replaced, where);
      if (last === 2 || last === 3) assert.deepEqual(state, asBefore, where);
    }
  });
});
