import { once } from 'node:events';
import { spawnDaemon, type TestHome } from '../support/daemon.ts';

/** How a daemon ended. */
export interface ShortRun {
  readonly code: number | null;
  readonly stderr: string;
}

/** Starts a daemon, ends it as soon as it listens, and tells how it ended. */
export async function startAndStop(home: TestHome): Promise<ShortRun> {
  const child = spawnDaemon(home);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes('"listening"')) child.kill('SIGTERM');
  });
  // When it has ended and all that it wrote was read.
  await once(child, 'close');
  return { code: child.exitCode, stderr };
}
