import type { TestContext } from 'node:test';
import { homeAt, passphraseCredential, startDaemon } from '../support/daemon.ts';
import { openShell, type Shell } from './hush.ts';

/**
 * A shell in a home whose profile `default` is open, with the passphrase of test profiles. No command did that, for
 * each of them takes its time: what `init`, `start` and `unlock` do is tested in session.test.ts.
 */
export async function openUnlocked(t: TestContext, shell = openShell(t)): Promise<Shell> {
  const home = homeAt(shell.home);
  await home.init();
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await client.unlock([passphraseCredential()]);
  client.close();
  return shell;
}
