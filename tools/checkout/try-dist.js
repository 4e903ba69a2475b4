// Installs what `npm pack` makes of the build, as a user would, and drives it on other Nodes than the pinned one:
//   node try-dist.js VERSION...
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const passphrase = 'correct horse battery staple\n';
const value = 'smoke \u2713\nwith a second line';

/** What a program may import from the package, and what must come of it. */
const platformProgram = `
  import { createCryptoProvider, LocalCryptoProvider } from 'hushd';
  import { decryptCredentials, encryptCredentials, generateKeyBase64, keyringFromDaemon, keyringFromEnv }
    from 'hushd/credentials';
  const provider = await createCryptoProvider();
  const context = { namespace: 'mail', key: 'smtp_password' };
  const handle = await provider.encrypt('s3cret', context);
  if ((await provider.decrypt(handle, context)) !== 's3cret') throw new Error('decrypt gave something else');
  const rotated = await provider.rotateKey(handle, context);
  if (rotated.id !== handle.id || rotated.version <= handle.version) throw new Error('rotate gave a wrong handle');
  if (provider.digest('a') !== provider.digest('a')) throw new Error('digest is not stable');
  await import('hushd/protocol');

  const local = new LocalCryptoProvider({ env: { OS_SECRET_KEY: '07'.repeat(32) } });
  if ((await local.decrypt(await local.encrypt('s3cret', context), context)) !== 's3cret') {
    throw new Error('the local provider gave something else');
  }
  const { code } = await provider.decrypt(await local.encrypt('s3cret', context), context).catch((error) => error);
  if (code !== 'WRONG_KEY') throw new Error('the daemon took a local handle');
  const key = generateKeyBase64();
  for (const keyring of [keyringFromEnv({ CONNECTOR_CRED_KEY: key }), await keyringFromDaemon()]) {
    const envelope = await encryptCredentials({ a: 1 }, keyring);
    if ((await decryptCredentials(envelope, keyring)).a !== 1) throw new Error('an envelope gave something else');
    keyring.close?.();
  }
  provider.close();
`;

/** Runs a command and gives its standard output; any other exit code than the one expected ends the trial. */
function run(command, args, { expected = 0, ...options }) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 300_000,
    ...options,
  });
  if (error === undefined && status === expected) return stdout;
  const outcome = error?.message ?? signal ?? `exit ${status}`;
  throw new Error(`${command} ${args.join(' ')}: ${outcome}, not ${expected}\n${stdout}${stderr}`);
}

function expectEqual(what, actual, expected) {
  if (actual !== expected) {
    throw new Error(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
  }
}

/** Installs the package beside a Node of this version and goes the operator's and the platform's way through it. */
function tryOn(version, tarball, folder) {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  const node = `node-linux-${process.arch}@${version}`;
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', tarball, node], { cwd: folder });

  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const env = {
    ...inherited,
    PATH: `${join(folder, 'node_modules/.bin')}:${process.env.PATH}`,
    HUSH_HOME: join(folder, 'home'),
  };
  const go = (command, args, options = {}) => run(command, args, { cwd: folder, env, ...options });
  const hush = (args, options) => go('hush', args, options);

  expectEqual('node --version', go('node', ['--version']), `v${version}\n`);
  hush(['init', '--passphrase-stdin'], { input: passphrase });
  hush(['start']);
  try {
    hush(['get', 'global/smoke', '--reveal'], { expected: 4 });
    hush(['unlock', '--passphrase-stdin'], { input: 'wrong\n', expected: 9 });
    hush(['unlock', '--passphrase-stdin'], { input: passphrase });
    hush(['set', 'global/smoke'], { input: value });
    expectEqual('hush get', hush(['get', 'global/smoke', '--reveal']), value);
    const identity = go('age-plugin-hush', ['--generate', 'global/age']);
    if (!identity.includes('\nAGE-PLUGIN-HUSH-1')) throw new Error(`age-plugin-hush made ${identity}`);
    expectEqual('hush get, compiled before', hush(['get', 'global/smoke', '--reveal']), value);
    go('node', ['--input-type=module', '--eval', platformProgram]);
    const site = 'protocol=https\nhost=smoke.example\n';
    const login = 'username=u\npassword=p\n';
    go('git-credential-hush', ['store'], { input: `${site}${login}` });
    expectEqual('git-credential-hush get', go('git-credential-hush', ['get'], { input: site }), login);
    expectEqual('docker-credential-hush list', go('docker-credential-hush', ['list']), '{}\n');
    hush(['lock']);
    hush(['get', 'global/smoke', '--reveal'], { expected: 4 });
    hush(['unlock', '--passphrase-stdin'], { input: passphrase });
    expectEqual('hush get after lock and unlock', hush(['get', 'global/smoke', '--reveal']), value);
  } finally {
    hush(['stop']);
  }
}

if (!existsSync(join(root, 'dist'))) throw new Error('there is no dist: npm run build');
const folder = mkdtempSync(join(tmpdir(), 'try-dist-'));
try {
  run('npm', ['pack', '--pack-destination', folder], { cwd: root });
  const [tarball = ''] = readdirSync(folder);
  for (const version of process.argv.slice(2)) {
    tryOn(version, join(folder, tarball), join(folder, version));
    console.log(`the package works on Node ${version}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
