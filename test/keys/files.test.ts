import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { readHeaderFile, writeHeaderFile } from '../../daemon/keys/header-file.ts';
import { appendToKeysetFile, readKeysetFile, writeKeysetFile } from '../../daemon/keys/keyset-file.ts';
import { HushError } from '../../protocol/errors.ts';
import { inFolder, newProfileKeys, withCode } from './fixtures.ts';

const made = await newProfileKeys();
made.keyring.close();

/** The hint of the UNSAFE_MODE that reading the header throws. */
function unsafeHint(path: string): string {
  try {
    readHeaderFile(path);
  } catch (error) {
    assert.ok(error instanceof HushError);
    assert.equal(error.code, 'UNSAFE_MODE', error.message);
    return error.hint;
  }
  return assert.fail('it was read');
}

describe('the files of a profile', () => {
  test('the header is written with mode 0600 whatever the umask, and read back', () => {
    inFolder((folder) => {
      const path = join(folder, 'header');
      for (const mask of [0o000, 0o777]) {
        const before = process.umask(mask);
        try {
          writeHeaderFile(path, made.headerBytes);
        } finally {
          process.umask(before);
        }
        assert.equal(statSync(path).mode & 0o777, 0o600);
        assert.deepEqual(readHeaderFile(path).body, made.header);
      }
      assert.deepEqual(readdirSync(folder), ['header']);
    });
  });

  test('A14: a header that is a link, has a second name, is loose or someone else’s is refused with the mending command', () => {
    inFolder((folder) => {
      const path = join(folder, "it's the header");
      writeHeaderFile(path, made.headerBytes);
      chmodSync(path, 0o640);
      assert.equal(unsafeHint(path), `chmod 600 '${folder}/it'\\''s the header'`);
      chmodSync(path, 0o600);
      linkSync(path, join(folder, 'second'));
      assert.match(unsafeHint(path), /^cp -p .* && mv /);
      const link = join(folder, 'link');
      symlinkSync(path, link);
      assert.match(unsafeHint(link), /^cp .* && mv /);
      mkdirSync(join(folder, 'directory'), 0o700);
      assert.match(unsafeHint(join(folder, 'directory')), /^mv /);
    });
  });

  test(
    'A14: a header of another user is refused',
    { skip: process.geteuid?.() !== 0 && 'only root can give files away' },
    () => {
      inFolder((folder) => {
        const path = join(folder, 'header');
        writeHeaderFile(path, made.headerBytes);
        chownSync(path, 12345, 12345);
        assert.match(unsafeHint(path), /^sudo chown 0 /);
      });
    },
  );

  test('a missing header is DAMAGED, a missing key set is empty and waits for the vault', () => {
    inFolder((folder) => {
      assert.throws(() => readHeaderFile(join(folder, 'header')), withCode('DAMAGED'));
      assert.deepEqual(readKeysetFile(join(folder, 'keyset')), { lines: [], torn: false });
    });
  });

  test('B1: what a write that was killed left behind does not stop the next one', () => {
    inFolder((folder) => {
      const path = join(folder, 'header');
      writeFileSync(join(folder, '.header.tmp'), 'half a hea', { mode: 0o400 });
      writeHeaderFile(path, made.headerBytes);
      assert.deepEqual(readdirSync(folder), ['header']);
    });
  });

  test('B2: a write that fails is UNAVAILABLE and leaves the old file', () => {
    inFolder((folder) => {
      const path = join(folder, 'header');
      writeHeaderFile(path, made.headerBytes);
      mkdirSync(join(folder, '.header.tmp'));
      assert.throws(() => {
        writeHeaderFile(path, made.headerBytes.subarray(1));
      }, withCode('UNAVAILABLE'));
      assert.deepEqual(readHeaderFile(path).body, made.header);
      assert.throws(() => {
        writeHeaderFile(join(folder, 'no', 'header'), made.headerBytes);
      }, withCode('UNAVAILABLE'));
    });
  });

  test('lines are appended to the key set one after the other', () => {
    inFolder((folder) => {
      const path = join(folder, 'keyset');
      const [first = '', ...rest] = made.keysetLines;
      writeKeysetFile(path, [first]);
      appendToKeysetFile(path, [first], rest.slice(0, 2));
      appendToKeysetFile(path, [first, ...rest.slice(0, 2)], rest.slice(2));
      assert.deepEqual(readKeysetFile(path), { lines: made.keysetLines, torn: false });
    });
  });

  test('what an append that failed left behind is overwritten by the next', () => {
    inFolder((folder) => {
      const path = join(folder, 'keyset');
      const [first = '', second = ''] = made.keysetLines;
      writeKeysetFile(path, [first]);
      appendFileSync(
        path,
        '{"seq":1,"type":"key","id":"never acknowledged, and much longer than what follows'.padEnd(999),
      );
      assert.equal(readKeysetFile(path).torn, true);
      appendToKeysetFile(path, [first], [second]);
      assert.deepEqual(readKeysetFile(path), { lines: [first, second], torn: false });
    });
  });

  test('nothing is appended to a key set that is shorter than it was, gone, or loose', () => {
    inFolder((folder) => {
      const path = join(folder, 'keyset');
      const [first = '', second = '', third = ''] = made.keysetLines;
      const append = () => {
        appendToKeysetFile(path, [first, second], [third]);
      };
      writeKeysetFile(path, [first, second]);
      chmodSync(path, 0o606);
      assert.throws(append, withCode('UNSAFE_MODE'));
      chmodSync(path, 0o600);
      truncateSync(path, 10);
      assert.throws(append, withCode('INTEGRITY'));
      assert.equal(readFileSync(path, 'utf8').length, 10);
      renameSync(path, join(folder, 'away'));
      assert.throws(append, withCode('INTEGRITY'));
    });
  });
});
