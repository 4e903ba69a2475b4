import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const program = fileURLToPath(new URL('asking.ts', import.meta.url));

const facts = z.object({
  /** Of a local provider. */
  kmsKeyId: z.string().optional(),
  /** Of the daemon's. */
  vaultId: z.string().optional(),
  /** Of an error. */
  code: z.string().optional(),
  name: z.string().optional(),
  message: z.string().optional(),
  hint: z.string().optional(),
});

/** What `cryptoProviderFromEnv` came to, and what the process wrote to standard error. */
export type Asked = z.output<typeof facts> & { readonly stderr: string };

/** How the provider is asked for. */
export interface Asking {
  readonly options?: object;
  readonly uid?: number;
}

/** Asks for a provider in a process that has this environment, and no other variables that mean anything to it. */
export async function ask(env: Record<string, string>, asking: Asking = {}): Promise<Asked> {
  return (await prepare(env, asking))();
}

/** A process that is ready to ask; what it answers when it may. */
export async function prepare(
  env: Record<string, string>,
  { options = {}, uid }: Asking = {},
): Promise<() => Promise<Asked>> {
  const compiled = process.env['NODE_COMPILE_CACHE'];
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    env: compiled === undefined ? env : { ...env, NODE_COMPILE_CACHE: compiled },
    stdio: 'pipe',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const stderr = textOf(child.stderr);
  const ended = once(child, 'close');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'ready');
  return async () => {
    child.stdin.end();
    const answer = await lines.next();
    await ended;
    assert.equal(child.exitCode, 0, await stderr);
    return { ...facts.parse(JSON.parse(String(answer.value))), stderr: await stderr };
  };
}
