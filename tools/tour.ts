/*
 * A tour of hushd on a temporary home: the real daemon, the real `hush`, and a program that has only the package.
 * It ends with 0 if everything went as told, and leaves nothing behind in any case.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';

const manifest = findPackageJSON('..', import.meta.url) ?? 'package.json';
const root = dirname(manifest);
const patienceMs = 120_000;

/** What a step must come to; anything else is a surprise, and ends the tour. */
interface Expected {
  readonly code?: number;
  readonly out?: string | RegExp;
  readonly err?: RegExp;
}

/** What a step is given besides its command line. */
interface Given {
  readonly input?: string;
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const started = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'hush-tour-'));
const env: NodeJS.ProcessEnv = {
  PATH: process.env['PATH'],
  HOME: folder,
  HUSH_HOME: join(folder, 'home'),
  NODE_COMPILE_CACHE: join(folder, 'cache'),
};
/** What is simply ended when the tour ends. */
const helpers = new Set<ChildProcess>();
/** The command that runs now: it is waited for in any case, so that no daemon comes up after the tour has gone. */
let running: Promise<unknown> = Promise.resolve();
const leaving = new AbortController();

process.once('SIGINT', () => void leave(130));
process.once('SIGTERM', () => void leave(143));
setTimeout(() => {
  say('the tour took more than two minutes, and gives up');
  void leave(1);
}, patienceMs).unref();

async function tour(): Promise<void> {
  const passphrase = 'correct horse battery staple';
  const packaged = installPackage();
  // It is awaited when it is needed; until then its failure is not an unhandled one.
  packaged.catch(() => undefined);

  chapter('A vault of your own');
  await hush(
    'init --passphrase-stdin',
    { input: passphrase },
    { out: /^profile default is made, vault [0-9a-f]{32}\n$/ },
  );
  await hush('init --passphrase-stdin', { input: 'another' }, { code: 10, err: /exists already/ });
  await hush('start', {}, { out: /^hushd runs, pid \d+\n$/ });
  await hush('get global/db', {}, { code: 4, err: /hint: hush unlock/ });
  await hush('unlock --passphrase-stdin', { input: 'wrong' }, { code: 9 });
  await hush('unlock --passphrase-stdin', { input: passphrase }, { out: 'profile default is unlocked\n' });

  chapter('Secrets in, secrets out');
  await hush(
    'set global/db',
    { input: 'postgres://app:hunter2@db/app' },
    { out: 'global/db is kept, version 1\n' },
  );
  await hush('set ws:42/session-key --generate 48', {}, { out: 'ws:42/session-key is kept, version 1\n' });
  await hush('list', {}, { out: 'global/db\nws:42/session-key\n' });
  await hush('get global/db', {}, { out: /^global\/db: 29 bytes, version 1/ });
  await hush('get global/db --reveal', {}, { out: 'postgres://app:hunter2@db/app' });
  await hush('delete ws:42/session-key', {}, { out: 'ws:42/session-key is deleted\n' });
  await hush('get ws:42/session-key', {}, { code: 6 });

  chapter('The platform: its keys never enter its process');
  await packaged;
  const platform = startPlatform();
  await platform.does('connect', 'ok');
  await platform.does('encrypt', 'ok');
  await platform.does('decrypt', 'ok');
  await platform.does('decrypt in another context', /^refused: /);
  await hush('keys rotate', {}, { out: /^key hush:[0-9a-f]{32}:default:v2 is active/ });
  await platform.does('decrypt', 'ok');
  await platform.does('rotate', 'ok');
  await hush('lock', {}, { out: 'profile default is locked\n' });
  await platform.does('decrypt', 'refused: LOCKED');
  await hush('stop', {}, { out: 'hushd has stopped\n' });
  await platform.does('decrypt', 'refused: UNREACHABLE');

  chapter('Nothing is lost');
  await hush('start', {}, { out: /^hushd runs, pid \d+\n$/ });
  await hush('unlock --passphrase-stdin', { input: passphrase }, { out: 'profile default is unlocked\n' });
  await hush('get global/db --reveal', {}, { out: 'postgres://app:hunter2@db/app' });
  await platform.does('decrypt', 'ok');
  await platform.leaves();

  chapter('Without a person');
  const keyFile = join(folder, 'work.key');
  await hush(`init -p work --generate --key-file ${keyFile}`, {}, { out: /^profile work is made/ });
  await hush('stop', {}, { out: 'hushd has stopped\n' });
  await hush(
    `start -p work --key-file ${keyFile}`,
    {},
    { out: /^hushd runs, pid \d+, profile work unlocked\n$/ },
  );
  await hush('status', {}, { out: /profile default: locked[^]*profile work: unlocked/ });
  await hush('stop', {}, { out: 'hushd has stopped\n' });
}

/** Runs one command, shows it, and checks what came of it. */
async function hush(line: string, given: Given, expected: Expected): Promise<void> {
  const ended = await run(line, given);
  const piped = given.input === undefined ? '' : `printf '%s' '${given.input}' | `;
  say(`$ ${piped}hush ${line}`);
  const shown = [...ended.err.split('\n'), ...ended.out.split('\n')].filter((text) => text !== '');
  for (const text of shown) say(`  ${text}`);
  const {
    code = 0,
    out = code === 0 ? /^/ : '',
    err = code === 0 ? /^(hush: note: .*\n)*$/ : /^hush: error: /,
  } = expected;
  if (code !== 0) say(`  (exit code ${ended.code}, as it should be)`);
  const isAsTold = typeof out === 'string' ? ended.out === out : out.test(ended.out);
  if (ended.code !== code || !isAsTold || !err.test(ended.err)) {
    throw new Error(
      `hush ${line}: exit code ${ended.code} for ${code}, or another text than ${String(out)} and ${err}`,
    );
  }
}

async function run(line: string, { input = '' }: Given): Promise<Ended> {
  if (leaving.signal.aborted) throw new Error('the tour was interrupted');
  // A session of its own: Ctrl-C is the tour's to deal with.
  const child = spawn(process.execPath, [join(root, 'bin', 'hush.js'), ...line.split(' ')], {
    detached: true,
    env,
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const ended = Promise.all([textOf(child.stdout), textOf(child.stderr), once(child, 'close')]);
  running = ended;
  const [out, err] = await ended;
  return { code: child.exitCode ?? -1, out, err };
}

/** Builds the client and puts it where a program finds it as the package `hushd`, and nothing else of this checkout. */
async function installPackage(): Promise<void> {
  const place = join(folder, 'platform', 'node_modules', 'hushd');
  mkdirSync(place, { recursive: true });
  copyFileSync(manifest, join(place, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'));
  const config = {
    extends: join(root, 'tsconfig.build.json'),
    compilerOptions: {
      declaration: false,
      noCheck: true,
      outDir: join(place, 'dist'),
      rootDir: root,
      typeRoots: [join(root, 'node_modules', '@types')],
    },
    files: [join(root, 'client', 'index.ts')],
    include: [],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const child = spawn(process.execPath, [compiler, '-p', join(folder, 'tsconfig.json')], { stdio: 'pipe' });
  helpers.add(child);
  const [said] = await Promise.all([textOf(child.stdout), once(child, 'close')]);
  helpers.delete(child);
  if (child.exitCode !== 0) throw new Error(`the client does not build: ${said}`);
}

/** The program of the platform: it has the package's public exports, and is told what to do line by line. */
const platformProgram = `
import { createInterface } from 'node:readline';
import { createCryptoProvider } from 'hushd';

const context = { namespace: 'mail', key: 'smtp.password', tenantId: 'acme' };
let provider, handle;

const steps = {
  connect: async () => { provider = await createCryptoProvider(); },
  encrypt: async () => { handle = await provider.encrypt('s3cret', context); },
  decrypt: async () => { if (await provider.decrypt(handle, context) !== 's3cret') throw new Error('another text'); },
  'decrypt in another context': () => provider.decrypt(handle, { ...context, key: 'smtp.user' }),
  rotate: async () => {
    const next = await provider.rotateKey(handle, context);
    if (next.id !== handle.id || next.version <= handle.version) throw new Error('not the next version');
    handle = next;
  },
};

for await (const step of createInterface({ input: process.stdin })) {
  const began = performance.now();
  const outcome = await steps[step]().then(() => 'ok', (error) => 'refused: ' + (error.code ?? error.message));
  console.log(JSON.stringify({ outcome, ms: performance.now() - began, kmsKeyId: handle?.kmsKeyId }));
}
provider.close();
`;

interface Platform {
  does(step: string, outcome: string | RegExp): Promise<void>;
  leaves(): Promise<void>;
}

function startPlatform(): Platform {
  const file = join(folder, 'platform', 'app.mjs');
  writeFileSync(file, platformProgram);
  const child = spawn(process.execPath, [file], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  helpers.add(child);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async does(step, expected) {
      child.stdin.write(`${step}\n`);
      const answer = await answers.next();
      if (answer.done) throw new Error('the platform has ended');
      const { outcome, ms, kmsKeyId } = JSON.parse(answer.value) as {
        outcome: string;
        ms: number;
        kmsKeyId?: string;
      };
      say(
        `platform: ${step}: ${outcome} (${ms.toFixed(1)} ms${kmsKeyId === undefined ? '' : `, handle under ${kmsKeyId}`})`,
      );
      const isAsTold = typeof expected === 'string' ? outcome === expected : expected.test(outcome);
      if (!isAsTold) throw new Error(`the platform's ${step} came to ${outcome}, not to ${String(expected)}`);
    },
    async leaves() {
      const ended = once(child, 'close');
      child.stdin.end();
      await ended;
      helpers.delete(child);
      if (child.exitCode !== 0) throw new Error(`the platform ended with ${String(child.exitCode)}`);
    },
  };
}

function chapter(title: string): void {
  say(`\n== ${title}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Stops what runs, removes what was made, and ends. */
async function leave(exitCode: number): Promise<void> {
  if (leaving.signal.aborted) return;
  leaving.abort();
  for (const child of helpers) child.kill('SIGKILL');
  await running.catch(() => undefined);
  spawnSync(process.execPath, [join(root, 'bin', 'hush.js'), 'stop'], { env, stdio: 'ignore' });
  rmSync(folder, { recursive: true, force: true });
  process.exit(exitCode);
}

try {
  await tour();
  say(
    `\nThe tour is over, after ${((performance.now() - started) / 1000).toFixed(1)} s. Nothing of it is left behind.`,
  );
  await leave(0);
} catch (error) {
  if (!leaving.signal.aborted) say(`\nSURPRISE: ${error instanceof Error ? error.message : String(error)}`);
  await leave(1);
}
