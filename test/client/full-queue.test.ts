import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectTo } from '../../client/socket.ts';

/** Listens with a queue for one connection, and accepts what is there once it reads a line. */
const listener = `import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
print('listens', flush=True)
kept = []
sys.stdin.readline()
while True:
    kept.append(s.accept())
`;

test('a daemon whose queue is full is waited for until the deadline, and is not taken for one that does not run', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hush-queue-'));
  const path = join(folder, 's');
  const child = spawn('python3', ['-c', listener, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  await once(child.stdout, 'data');
  const first = connect(path);
  t.after(() => first.destroy());
  await once(first, 'connect');
  const reach = (ms: number) => connectTo(path, undefined, () => undefined, performance.now() + ms);
  await assert.rejects(reach(0), {
    code: 'UNREACHABLE',
    message: /more connections wait/,
    hint: /try again/,
  });
  const waiting = reach(60_000);
  child.stdin.write('accept\n');
  const { socket } = await waiting;
  socket.destroy();
});
