import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pathsOf } from '../../daemon/home/paths.ts';
import { readSafeFile, writeFileAtomic } from '../../daemon/home/files.ts';
import { checkHome } from '../../daemon/home/inspection.ts';
import {
  checkDirectory,
  checkFile,
  fileProblems,
  folderProblems,
  openSafeFile,
} from '../../daemon/home/safety.ts';
import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';

const isRoot = process.getuid?.() === 0;
const modeOf = (path: string): number => statSync(path).mode & 0o777;

let folder = '';
let umask = 0;
beforeEach(() => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), "hush home's "));
  umask = process.umask(0o077);
});
afterEach(() => {
  process.umask(umask);
  rmSync(folder, { recursive: true });
});

const newFile = (name: string, content = 'x', mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};

/** Runs the mending command of an UNSAFE_MODE error as its reader would. */
const mend = (check: () => unknown): void => {
  assert.throws(check, (error) => {
    assert.ok(error instanceof HushError);
    assert.equal(error.code, 'UNSAFE_MODE');
    execFileSync('sh', ['-c', error.hint.replaceAll('sudo ', '')]);
    return true;
  });
};

describe('A14: safety of folders', () => {
  for (const mask of [0o000, 0o022, 0o777]) {
    test(`a missing folder and its parents are made 0700 under umask ${mask.toString(8)}`, () => {
      process.umask(mask);
      const path = join(folder, 'a', 'b');
      checkDirectory(path);
      assert.equal(modeOf(path), 0o700);
      assert.equal(modeOf(join(folder, 'a')), 0o700);
    });
  }

  test('a folder with any bit for group or others is refused with the command that mends it', () => {
    const path = join(folder, 'loose');
    mkdirSync(path);
    for (const mode of [0o710, 0o701, 0o770, 0o777]) {
      chmodSync(path, mode);
      mend(() => {
        checkDirectory(path);
      });
      assert.equal(modeOf(path), 0o700);
      checkDirectory(path);
    }
  });

  test('a symlink to a folder is refused, and its mending command puts the folder itself in its place', () => {
    const path = join(folder, 'link');
    mkdirSync(join(folder, 'target'), { mode: 0o700 });
    symlinkSync('target', path);
    mend(() => {
      checkDirectory(path);
    });
    checkDirectory(path);
  });

  test('nobody is told to close a folder of the system', () => {
    for (const path of ['/', '/tmp', '/etc', '/var/lib']) {
      const problems = folderProblems(path);
      assert.notEqual(problems.length, 0, path);
      for (const { hint } of problems) assert.equal(hint, `choose a folder of its own in place of ${path}`);
    }
  });

  test('a file in place of a folder is refused', () => {
    const path = newFile('file');
    assert.match(folderProblems(path)[0]?.message ?? '', /is not a folder/);
  });

  test(
    'a folder of another owner is refused',
    { skip: !isRoot && 'needs root to give a folder away' },
    () => {
      const path = join(folder, 'theirs');
      mkdirSync(path, { mode: 0o700 });
      chownSync(path, 12345, 12345);
      mend(() => {
        checkDirectory(path);
      });
      checkDirectory(path);
    },
  );
});

describe('A14: safety of files', () => {
  test('a missing file and one of mode 0600 pass', () => {
    checkFile(join(folder, 'none'));
    checkFile(newFile('good'));
  });

  test('any bit for group or others is refused with the command that mends it', () => {
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601]) {
      const path = newFile('loose', 'x', mode);
      mend(() => {
        checkFile(path);
      });
      assert.equal(modeOf(path), 0o600);
    }
  });

  test('a symlink is refused, and its mending command leaves a copy in its place', () => {
    const path = join(folder, 'link');
    newFile('target', 'content');
    symlinkSync(join(folder, 'target'), path);
    mend(() => {
      checkFile(path);
    });
    checkFile(path);
    assert.equal(readFileSync(path, 'utf8'), 'content');
  });

  test('a hard link is refused, and its mending command parts the two names', () => {
    const path = newFile('file', 'content');
    linkSync(path, join(folder, 'second'));
    mend(() => {
      checkFile(path);
    });
    checkFile(path);
    assert.equal(readFileSync(path, 'utf8'), 'content');
  });

  test('a fifo is refused without waiting for its other end', () => {
    const path = join(folder, 'fifo');
    execFileSync('mkfifo', ['-m', '600', path]);
    assert.throws(() => openSafeFile(path, constants.O_RDONLY), {
      code: 'UNSAFE_MODE',
      message: /not a regular/,
    });
  });

  test('a file of another owner is refused', { skip: !isRoot && 'needs root to give a file away' }, () => {
    const path = newFile('theirs');
    chownSync(path, 12345, 12345);
    mend(() => {
      checkFile(path);
    });
    checkFile(path);
  });

  test(
    'all problems of one file are told together',
    { skip: !isRoot && 'needs root to give a file away' },
    () => {
      const path = newFile('bad', 'x', 0o666);
      chownSync(path, 12345, 12345);
      linkSync(path, join(folder, 'second'));
      assert.equal(fileProblems(path).length, 3);
    },
  );

  test('paths stand in commands as one word', () => {
    assert.equal(shellWord('/a/b.c'), '/a/b.c');
    assert.equal(
      execFileSync('sh', ['-c', `printf %s ${shellWord("a'b $(c) \n")}`], { encoding: 'utf8' }),
      "a'b $(c) \n",
    );
  });
});

describe('opening and writing', () => {
  test('a made file has mode 0600 whatever the umask', () => {
    for (const mask of [0o000, 0o777]) {
      process.umask(mask);
      const path = join(folder, `made${mask}`);
      closeSync(openSafeFile(path, constants.O_RDWR | constants.O_CREAT));
      assert.equal(modeOf(path), 0o600);
    }
  });

  test('an existing file is opened as it is, even with O_CREAT, and not at all with O_EXCL', () => {
    const path = newFile('file', 'content');
    const fd = openSafeFile(path, constants.O_RDWR | constants.O_CREAT);
    assert.equal(fstatSync(fd).size, 7);
    closeSync(fd);
    assert.throws(() => openSafeFile(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL), {
      code: 'EXISTS',
    });
  });

  test('opening through a dangling link makes nothing at its other end', () => {
    const path = join(folder, 'link');
    symlinkSync(join(folder, 'elsewhere'), path);
    assert.throws(() => openSafeFile(path, constants.O_RDWR | constants.O_CREAT), { code: 'UNSAFE_MODE' });
    assert.equal(existsSync(join(folder, 'elsewhere')), false);
  });

  test('a missing file is UNAVAILABLE without O_CREAT, and undefined when read whole', () => {
    assert.throws(() => openSafeFile(join(folder, 'none'), constants.O_RDONLY), { code: 'UNAVAILABLE' });
    assert.equal(readSafeFile(join(folder, 'none'), 10), undefined);
  });

  test('a file is read whole, and refused past the limit', () => {
    const path = newFile('file', 'content');
    assert.equal(Buffer.from(readSafeFile(path, 7) ?? []).toString(), 'content');
    assert.throws(() => readSafeFile(path, 6), { code: 'TOO_LARGE' });
    chmodSync(path, 0o644);
    assert.throws(() => readSafeFile(path, 7), { code: 'UNSAFE_MODE' });
  });

  test('an atomic write replaces old content and links, has mode 0600 and leaves no other file', () => {
    process.umask(0);
    const target = newFile('target', 'target');
    const path = join(folder, 'file');
    symlinkSync(target, path);
    writeFileAtomic(path, Buffer.from('new'));
    assert.equal(readFileSync(path, 'utf8'), 'new');
    assert.equal(readFileSync(target, 'utf8'), 'target');
    checkFile(path);
    assert.deepEqual(execFileSync('ls', [folder], { encoding: 'utf8' }).trim().split('\n'), [
      'file',
      'target',
    ]);
  });

  test('an atomic write that fails leaves the old content and no other file', () => {
    const path = join(folder, 'taken');
    mkdirSync(path);
    assert.throws(
      () => {
        writeFileAtomic(path, Buffer.from('new'));
      },
      { code: 'UNAVAILABLE' },
    );
    assert.deepEqual(execFileSync('ls', [folder], { encoding: 'utf8' }).trim().split('\n'), ['taken']);
  });
});

describe('A14: inspection of a home', () => {
  test('a home that is not there, and a well kept one, have no problems', () => {
    const paths = pathsOf({ HUSH_HOME: join(folder, 'home') });
    assert.deepEqual(checkHome(paths), []);
    paths.ownFolders.forEach(checkDirectory);
    writeFileSync(paths.config, '', { mode: 0o600 });
    assert.deepEqual(checkHome(paths), []);
  });

  test('all problems are reported at once, those of a profile with its name', () => {
    const paths = pathsOf({ HUSH_HOME: join(folder, 'home') });
    paths.ownFolders.forEach(checkDirectory);
    for (const sub of ['profiles/a', 'profiles/b', 'audit/profiles/b']) {
      checkDirectory(join(paths.home, sub));
    }
    const at = (...parts: string[]): string => join(paths.home, ...parts);
    const loose = [
      paths.config,
      at('profiles', 'a', 'header'),
      at('audit', 'profiles', 'b', '0000000001.jsonl'),
      at('audit', 'daemon', '0000000001.jsonl'),
    ];
    for (const path of loose) {
      writeFileSync(path, '');
      chmodSync(path, 0o640);
    }
    symlinkSync('/etc/passwd', at('profiles', 'b', 'vault.db'));
    writeFileSync(at('profiles', 'not a profile'), '', { mode: 0o666 });
    const found = checkHome(paths).map(({ path, profile }) => [path, profile]);
    assert.deepEqual(found, [
      [paths.config, undefined],
      [at('audit', 'daemon', '0000000001.jsonl'), undefined],
      [at('profiles', 'a', 'header'), 'a'],
      [at('profiles', 'b', 'vault.db'), 'b'],
      [at('audit', 'profiles', 'b', '0000000001.jsonl'), 'b'],
    ]);
  });

  test('a profile folder that is a link or loose is a problem of that profile', () => {
    const paths = pathsOf({ HUSH_HOME: join(folder, 'home') });
    paths.ownFolders.forEach(checkDirectory);
    symlinkSync('/etc', join(paths.profiles, 'linked'));
    mkdirSync(join(paths.profiles, 'loose'));
    chmodSync(join(paths.profiles, 'loose'), 0o755);
    const found = checkHome(paths).map(({ profile }) => profile);
    assert.deepEqual(found.sort(), ['linked', 'loose']);
  });

  test('a linked profiles folder is reported and not followed', () => {
    const paths = pathsOf({ HUSH_HOME: join(folder, 'home') });
    checkDirectory(paths.home);
    symlinkSync('/etc', paths.profiles);
    assert.deepEqual(
      checkHome(paths).map(({ path }) => path),
      [paths.profiles],
    );
  });
});
