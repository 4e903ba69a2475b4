import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const moduleAt = (path: string): string => new URL(`../../daemon/${path}`, import.meta.url).href;

/** Wipes a vault key in a process that cannot open one more file. */
const program = `
  import { openSync } from 'node:fs';
  import { createSecureArena } from '${moduleAt('memory/secure-bytes.ts')}';
  import { wipeVaultKey } from '${moduleAt('keys/vault-key.ts')}';
  const arena = createSecureArena({ bytes: 4096, prefer: 'sodium_malloc' });
  const key = arena.allocate(32);
  const { bytes } = key;
  bytes.fill(7);
  try {
    for (;;) openSync('/dev/null');
  } catch (error) {
    wipeVaultKey(key);
    process.stdout.write(JSON.stringify({ error: error.code, used: arena.used, bytes: [...bytes] }));
  }
`;

test('a vault key is wiped also where no file can be opened, so that the stack cannot be searched for it', () => {
  const command = `ulimit -n 64; exec "$0" --input-type=module -e "$1"`;
  const told = execFileSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(told), { error: 'EMFILE', used: 0, bytes: new Array(32).fill(0) });
});
