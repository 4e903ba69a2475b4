import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { ESLint } from 'eslint';

const eslint = new ESLint({
  cwd: fileURLToPath(new URL('../../', import.meta.url)),
  ruleFilter: ({ ruleId }) => ruleId === 'no-restricted-imports',
  // The files below do not exist, so the rules that need their types stay out.
  overrideConfig: { files: ['**/*.ts'], languageOptions: { parserOptions: { projectService: false } } },
});

/** Whether the linter lets a file at this path import this specifier. */
async function mayImport(filePath: string, specifier: string): Promise<boolean> {
  const results = await eslint.lintText(`import '${specifier}';\n`, { filePath });
  const messages = results.flatMap((result) => result.messages);
  for (const message of messages) assert.equal(message.ruleId, 'no-restricted-imports', message.message);
  return messages.length === 0;
}

const forbidden: [string, string][] = [
  ['protocol/frames.ts', '../daemon/keys/header.ts'],
  ['protocol/frames.ts', '../client/index.ts'],
  ['protocol/frames.ts', '../native/process.ts'],
  ['protocol/frames.ts', 'node:fs'],
  ['protocol/frames.ts', 'node:fs/promises'],
  ['protocol/frames.ts', 'node:net'],
  ['protocol/frames.ts', 'node:child_process'],
  ['native/process.ts', '../daemon/memory/arena.ts'],
  ['noise/handshake.ts', '../daemon/memory/arena.ts'],
  ['noise/handshake.ts', '../client/index.ts'],
  ['noise/handshake.ts', '../native/process.ts'],
  ['noise/handshake.ts', 'node:net'],
  ['protocol/frames.ts', '../noise/records.ts'],
  ['client/connect.ts', '../daemon/keys/header.ts'],
  ['client/connect.ts', '../cli/output.ts'],
  ['daemon/start.ts', '../cli/output.ts'],
  ['daemon/keys/header.ts', '../../client/connect.ts'],
  ['daemon/memory/arena.ts', '../keys/header.ts'],
  ['daemon/keys/header.ts', '../stores/store.ts'],
  ['daemon/stores/store.ts', '../vault/vault.ts'],
  ['daemon/vault/vault.ts', '../operations/secrets.ts'],
  ['daemon/vault/vault.ts', '../gates/lock.ts'],
  ['daemon/gates/lock.ts', '../transport/server.ts'],
  ['daemon/operations/secrets.ts', '../transport/server.ts'],
];

const allowed: [string, string][] = [
  ['protocol/frames.ts', './errors.ts'],
  ['protocol/frames.ts', 'msgpackr'],
  ['native/process.ts', '../protocol/errors.ts'],
  ['noise/records.ts', '../protocol/frames.ts'],
  ['client/connect.ts', '../noise/handshake.ts'],
  ['daemon/transport/server.ts', '../../noise/handshake.ts'],
  ['client/connect.ts', '../protocol/frames.ts'],
  ['client/connect.ts', '../native/peer.ts'],
  ['cli/set.ts', '../client/connect.ts'],
  ['daemon/start.ts', './transport/server.ts'],
  ['daemon/keys/header.ts', '../memory/arena.ts'],
  ['daemon/keys/header.ts', '../../protocol/errors.ts'],
  ['daemon/vault/vault.ts', '../stores/store.ts'],
  ['daemon/transport/server.ts', '../gates/lock.ts'],
  ['test/keys/header.test.ts', '../../daemon/keys/header.ts'],
];

describe('the layers', () => {
  test('the linter refuses every import that goes outwards', async () => {
    for (const [file, specifier] of forbidden) {
      assert.equal(await mayImport(file, specifier), false, `${file} imports ${specifier}`);
    }
  });

  test('the linter lets imports that go inwards pass', async () => {
    for (const [file, specifier] of allowed) {
      assert.equal(await mayImport(file, specifier), true, `${file} imports ${specifier}`);
    }
  });
});
