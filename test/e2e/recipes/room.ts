import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Ended } from '../../cli/hush.ts';

const program = fileURLToPath(new URL('../../../bin/hush.js', import.meta.url));

/**
 * What a container engine gives a container, as far as the kernel gives it to everybody: users, mounts, processes, a
 * network without devices and IPC of its own.
 */
const container = [
  '--user',
  '--map-root-user',
  '--mount',
  '--pid',
  '--fork',
  '--mount-proc',
  '--net',
  '--ipc',
];

/** Makes /run the container's own, with `hush` in it, runs `$setup` and then each line by itself, in a folder of its own. */
const script = `
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/bin /run/work /run/secrets
printf '#!/bin/sh\\nexec "%s" -- "%s" "$@"\\n' "$node" "$program" >/run/bin/hush
chmod 755 /run/bin/hush
eval "$setup"
export PATH="/run/bin:$PATH" HOME=/run/work
cd /run/work
set +e
count=0
for line; do
  ( eval "$line" ) </dev/null >"$said/$count.stdout" 2>"$said/$count.stderr"
  echo $? >"$said/$count.code"
  count=$((count + 1))
done`;

/** A folder for what is said in a container, which is removed after the test. */
export function openRoom(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'hush-room-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Why nothing can be run in namespaces of its own here; false where it can. */
export function noNamespaces(): string | false {
  const { status } = spawnSync('unshare', [...container, 'mount', '-t', 'tmpfs', 'tmpfs', '/run']);
  return status === 0 ? false : 'this kernel lets us make no namespaces';
}

/** What a container is given. */
export interface Given {
  readonly mounts: readonly { readonly source: string; readonly target: string }[];
  /** Folders that are empty in it. */
  readonly hidden: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly lines: readonly string[];
}

/** Runs the lines in one container that has these files mounted; answers how each ended. */
export function runInside(room: string, { mounts, hidden, env, lines }: Given): Promise<readonly Ended[]> {
  const setup = [
    ...mounts.map(({ source, target }) => `touch '${target}' && mount --bind '${source}' '${target}'`),
    ...hidden.map((folder) => `mount -t tmpfs tmpfs '${folder}'`),
  ];
  return run(room, setup, env, lines);
}

/** Runs the lines in one container with a home that nobody has used; what they start ends with it. */
export function runAlone(room: string, lines: readonly string[]): Promise<readonly Ended[]> {
  return run(room, ['mkdir -m 700 /run/home'], { HUSH_HOME: '/run/home' }, lines);
}

async function run(
  room: string,
  setup: readonly string[],
  env: Readonly<Record<string, string>>,
  lines: readonly string[],
): Promise<readonly Ended[]> {
  const own = { node: process.execPath, program, setup: setup.join(' && '), said: room };
  await promisify(execFile)('unshare', [...container, 'sh', '-c', script, 'sh', ...lines], {
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...own, ...env },
  });
  return lines.map((_, index) => {
    const [code, stdout = '', stderr = ''] = ['code', 'stdout', 'stderr'].map((name) =>
      readFileSync(join(room, `${index}.${name}`), 'utf8'),
    );
    assert.match(code ?? '', /^\d+\n$/);
    return { code: Number(code), stdout, stderr };
  });
}
