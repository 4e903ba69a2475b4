import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';

/** Why a real systemd cannot be run here, or undefined where it can: it takes namespaces and control groups of its own. */
export const noManager: string | undefined = process.getuid?.() === 0 ? undefined : 'needs root';

/** A folder of its own, without a home or anything of hushd in it. */
export function openFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'hush-units-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/**
 * Without a system to boot: a manager of units in namespaces of its own for mounts and processes, and in a control group
 * of its own, which it takes for its root. Protected units want what a booted system has in /run/systemd/inaccessible.
 */
const script = `
set -e
group=hush-test-$$.slice
roots=$(ls -d /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd 2>/dev/null)
for root in $roots; do
  test ! -e $root/cgroup.procs || { mkdir $root/$group && echo $$ >$root/$group/cgroup.procs; }
done
unshare -m -p -f --mount-proc sh -ec '
  mount --make-rshared /
  mount -t tmpfs tmpfs /run
  mkdir -p /run/systemd/system /run/systemd/inaccessible/dir "$XDG_RUNTIME_DIR"
  touch /run/systemd/inaccessible/reg
  chmod 0 /run/systemd/inaccessible/*
  /lib/systemd/systemd --user --unit=last.service' || true
for root in $roots; do
  test ! -e $root/$group || { echo $$ >$root/cgroup.procs; find $root/$group -depth -type d -exec rmdir {} +; }
done`;

/**
 * Lets a real systemd run these units and drop-ins, by their file names, until all those named in `wanted` have ended; answers how
 * the services ended that failed, by their names, such as `exit-code 1`. Its files are below `folder`.
 */
export async function runUnits(
  folder: string,
  units: Readonly<Record<string, string>>,
  wanted: readonly string[] = Object.keys(units),
): Promise<ReadonlyMap<string, string>> {
  const failures = join(folder, 'failures');
  const unitFolder = join(folder, 'config', 'systemd', 'user');
  rmSync(failures, { recursive: true, force: true });
  mkdirSync(failures, { recursive: true });
  const marks = wanted.map((name) => `failed@${name}.service`);
  const own = {
    'service.d/failed.conf': '[Unit]\nOnFailure=failed@%n.service\n',
    'failed@.service': `[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo "$MONITOR_SERVICE_RESULT $MONITOR_EXIT_STATUS" >${failures}/%i'
`,
    'last.service': `[Unit]
Wants=${wanted.join(' ')}
After=${[...wanted, ...marks].join(' ')}
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/bin/true
`,
  };
  for (const [name, text] of Object.entries({ ...units, ...own })) {
    mkdirSync(dirname(join(unitFolder, name)), { recursive: true });
    writeFileSync(join(unitFolder, name), text);
  }
  const child = spawn('sh', ['-c', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      // Not below /run/user, which ProtectHome= closes.
      XDG_RUNTIME_DIR: '/run/manager',
      SYSTEMD_LOG_LEVEL: 'crit',
    },
  });
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  return new Map(
    readdirSync(failures).map((name) => [name, readFileSync(join(failures, name), 'utf8').trim()]),
  );
}
