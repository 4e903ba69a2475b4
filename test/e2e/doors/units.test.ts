import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { homeAt, keyCredential, startDaemon } from '../../support/daemon.ts';
import { noManager, openFolder, runUnits } from './service-manager.ts';

const checkout = fileURLToPath(new URL('../../../', import.meta.url));
const contrib = join(checkout, 'contrib', 'systemd');

/** `hush` and `hushd` as an installation has them, in a folder of their own. */
function installIn(folder: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const name of ['hush', 'hushd']) {
    const text = `#!/bin/sh\nexec '${process.execPath}' '${checkout}bin/${name}.js' "$@"\n`;
    writeFileSync(join(bin, name), text, { mode: 0o755 });
  }
  return bin;
}

/** The units of a folder in contrib/, with `hush` and `hushd` where they are here. */
function unitsIn(folder: string, bin: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => /\.(service|socket)$/.test(name));
  return Object.fromEntries(
    names.map((name) => [
      name,
      readFileSync(join(folder, name), 'utf8')
        .replaceAll('/usr/local/bin/', `${bin}/`)
        .replaceAll('/usr/bin/env ', `${bin}/`),
    ]),
  );
}

function analyze(t: TestContext, args: readonly string[]): string {
  const env = { PATH: process.env['PATH'], XDG_RUNTIME_DIR: openFolder(t), HOME: openFolder(t) };
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { env, encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

describe('the systemd units in contrib/', () => {
  for (const [kind, folder, option] of [
    ['system', contrib, '--system'],
    ['user', join(contrib, 'user'), '--user'],
  ] as const) {
    test(`${kind}: systemd has nothing to say against them`, (t) => {
      const made = openFolder(t);
      const units = unitsIn(folder, installIn(made));
      const files = Object.entries(units).map(([name, text]) => {
        writeFileSync(join(made, name), text);
        return join(made, name);
      });
      assert.ok(files.length >= 4);
      const said = analyze(t, [option, '--man=no', 'verify', ...files]);
      const about = said
        .split('\n')
        .filter((line) => files.some((file) => line.includes(file)) || line.startsWith('hush'));
      assert.deepEqual(about, []);
    });
  }

  for (const name of ['hushd.service', 'hush-door-systemd.service']) {
    test(`${name} is exposed by less than 1.0 of 10`, (t) => {
      const said = analyze(t, [
        'security',
        '--offline=true',
        '--threshold=10',
        '--no-pager',
        join(contrib, name),
      ]);
      const score = /Overall exposure level for .*/.exec(said)?.[0];
      assert.ok(score !== undefined);
      t.diagnostic(score);
    });
  }

  test('the user of the daemon is in the group that reaches its socket', (t) => {
    const root = openFolder(t);
    mkdirSync(join(root, 'etc'));
    const { status, stderr } = spawnSync(
      'systemd-sysusers',
      [`--root=${root}`, join(contrib, 'hushd.sysusers.conf')],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0, stderr);
    assert.match(readFileSync(join(root, 'etc', 'group'), 'utf8'), /^hush:[^:]*:\d+:hushd$/m);
  });

  test(
    'as they are, the daemon starts by its socket, opens by a credential, and serves a unit through the door',
    { skip: noManager },
    async (t) => {
      const folder = openFolder(t);
      const bin = installIn(folder);
      const home = homeAt(join(folder, 'home'));
      const key = new Uint8Array(32).fill(7);
      await home.init('default', [keyCredential(key)]);
      writeFileSync(join(folder, 'key'), Buffer.from(key).toString('hex'), { mode: 0o600 });
      const daemon = await startDaemon(t, home, { args: ['--key-file', join(folder, 'key')] });
      const client = await daemon.connect();
      await client.set('pr:web.service/db', new TextEncoder().encode('from the vault'));
      const unbound = await client.status();
      assert.equal(await daemon.stop(), 0);

      // Users and groups are of an installed system; the rest of the units holds as it is written.
      const here = `[Service]
User=
Group=
DynamicUser=no
SupplementaryGroups=
StateDirectory=
ProtectHome=tmpfs
BindPaths=${folder}
BindReadOnlyPaths=${checkout} ${dirname(process.execPath)}
`;
      const units = Object.fromEntries(
        Object.entries(unitsIn(contrib, bin)).map(([name, text]) => [
          name,
          text.replaceAll('/var/lib/hushd', home.folder).replace('$$(id -u hushd)', '0'),
        ]),
      );
      const dropIn = readFileSync(join(contrib, 'hushd.service.d', 'master-key.conf'), 'utf8');
      const failures = await runUnits(
        folder,
        {
          ...units,
          'hushd.socket.d/here.conf': '[Socket]\nSocketGroup=\n',
          'hushd.service.d/here.conf': here,
          'hushd.service.d/master-key.conf': dropIn.replace(
            '/etc/credstore/hushd-master-key',
            join(folder, 'key'),
          ),
          'hush-door-systemd.service.d/here.conf': here,
          'web.service': `[Unit]
Requires=hush-door-systemd.socket
After=hush-door-systemd.socket
[Service]
Type=oneshot
Environment=HUSH_SOCKET=/run/hushd/hushd.sock
LoadCredential=db:/run/hushd/systemd.sock
ExecStart=/bin/sh -c 'cp "$CREDENTIALS_DIRECTORY/db" ${folder}/got; ${bin}/hush status --json >${folder}/status'
`,
        },
        ['web.service'],
      );
      assert.deepEqual(failures, new Map());
      assert.equal(readFileSync(join(folder, 'got'), 'utf8'), 'from the vault');
      const status = JSON.parse(readFileSync(join(folder, 'status'), 'utf8')) as typeof unbound;
      assert.equal(status.profiles[0]?.state, 'unlocked');
      assert.deepEqual(
        status.hardening,
        unbound.hardening,
        'what the units forbid takes no defence from the daemon',
      );
    },
  );
});

const guide = readFileSync(join(checkout, 'docs', 'install.md'), 'utf8');

describe('the install guide', () => {
  test('says of each block that is not run here why not', () => {
    const [, ...others] = guide.replace(/^## For one user$[^]*?(?=^## )/m, '').split('```sh\n');
    assert.ok(others.length >= 5);
    const marks = [...guide.matchAll(/^_Not run here: .+_\n```sh$/gm)];
    assert.equal(marks.length, others.length);
  });

  test(
    'for one user: the commands are those that make the daemon start by its socket',
    { skip: noManager },
    async (t) => {
      const folder = openFolder(t);
      // As npm links the programs of a package.
      const bin = join(folder, 'bin');
      mkdirSync(bin);
      for (const name of ['hush', 'hushd']) symlinkSync(join(checkout, 'bin', `${name}.js`), join(bin, name));
      const [, section = ''] = guide.split('\n## For one user\n');
      const [, commands = ''] = /```sh\n(.*?)```/s.exec(section) ?? [];
      writeFileSync(
        join(folder, 'guide'),
        `exec 2>${folder}/said\nset -eux\n${commands}\nhush status --json >${folder}/status\nhush stop\nhush status --json >${folder}/again\n`,
      );
      const path = `${bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
      const failures = await runUnits(
        folder,
        {
          'guide.service': `[Service]\nType=oneshot\nEnvironment=PATH=${path}\nExecStart=/bin/sh ${folder}/guide\n`,
        },
        ['guide.service'],
      );
      if (failures.size > 0) assert.fail(readFileSync(join(folder, 'said'), 'utf8'));
      const [first, second] = ['status', 'again'].map(
        (name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as { pid: number },
      );
      assert.ok(first !== undefined && second !== undefined);
      assert.notEqual(first.pid, second.pid);
    },
  );
});
