import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { z } from 'zod';

const root = new URL('../../', import.meta.url);

const versions = z.record(z.string(), z.string()).default({});
const manifestShape = z.object({
  dependencies: versions,
  devDependencies: versions,
  optionalDependencies: versions,
  engines: z.object({ node: z.string() }).optional(),
});
const lockShape = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      integrity: z.string().optional(),
      link: z.boolean().optional(),
      hasInstallScript: z.boolean().optional(),
    }),
  ),
});

const readJson = (path: string): unknown => JSON.parse(readFileSync(new URL(path, root), 'utf8'));
const manifests = ['package.json', 'tools/checkout/package.json'].map((path) =>
  manifestShape.parse(readJson(path)),
);
const { packages } = lockShape.parse(readJson('package-lock.json'));

/** Runs a script on the Node of the tests, and gives back what went wrong, or the empty string. */
function failureOf(script: string): string {
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', script], {
    cwd: root,
    encoding: 'utf8',
  });
  return status === 0 ? '' : `${String(signal ?? status)} ${stderr}`;
}

describe('the dependencies', () => {
  test('every dependency is an exact version, and the lock file holds that one', () => {
    for (const manifest of manifests) {
      for (const [name, version] of Object.entries({
        ...manifest.dependencies,
        ...manifest.devDependencies,
        ...manifest.optionalDependencies,
      })) {
        assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is not pinned: ${version}`);
        assert.equal(packages[`node_modules/${name}`]?.version, version, `${name} in the lock file`);
      }
    }
  });

  test('every package of the lock file is held by its hash', () => {
    for (const [path, entry] of Object.entries(packages)) {
      if (!path.includes('node_modules/') || entry.link === true) continue;
      assert.match(entry.integrity ?? '', /^sha512-/, path);
    }
  });

  test('npm runs no install script in this checkout', () => {
    assert.match(readFileSync(new URL('.npmrc', root), 'utf8'), /^ignore-scripts=true$/m);
  });

  test('every package that has an install script works without it', () => {
    const withScript = Object.entries(packages).flatMap(([path, entry]) =>
      entry.hasInstallScript === true ? [path.slice(path.lastIndexOf('node_modules/') + 13)] : [],
    );
    assert.deepEqual(withScript.sort(), [
      '@signalapp/sqlcipher',
      'argon2',
      'esbuild',
      'koffi',
      'msgpackr-extract',
    ]);
    for (const name of withScript) {
      assert.equal(failureOf(`await import(${JSON.stringify(name)})`), '', name);
    }
  });

  test('every native module does its work as npm unpacked it', () => {
    const proofs = {
      'better-sqlite3-multiple-ciphers': `
        const db = new (await import('better-sqlite3-multiple-ciphers')).default(':memory:');
        if (db.prepare('select 1 + 1').pluck().get() !== 2) throw new Error('wrong answer')`,
      'sodium-native': `
        const sodium = (await import('sodium-native')).default;
        if (sodium.sodium_malloc(64).length !== 64) throw new Error('wrong answer')`,
      koffi: `
        const getpid = (await import('koffi')).default.load(null).func('int getpid()');
        if (getpid() !== process.pid) throw new Error('wrong answer')`,
      argon2: `
        const { hash, verify } = (await import('argon2')).default;
        if (!(await verify(await hash('x', { memoryCost: 64 }), 'x'))) throw new Error('wrong answer')`,
      '@signalapp/sqlcipher': `
        const db = new (await import('@signalapp/sqlcipher')).default(':memory:');
        if (db.prepare('select 1 + 1', { pluck: true }).get() !== 2) throw new Error('wrong answer')`,
    };
    for (const [name, proof] of Object.entries(proofs)) assert.equal(failureOf(proof), '', name);
  });
});
