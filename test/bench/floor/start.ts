import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** How the floor encodes its replies; see server.ts. */
export type FloorStyle = 'packed' | 'patched';

/** A running floor. */
export interface Floor {
  readonly socketPath: string;
  readonly stop: () => Promise<void>;
}

const serverFile = fileURLToPath(new URL('server.ts', import.meta.url));

/** Starts the floor in a process of its own, answering values of `bytes` bytes, and waits until it listens. */
export async function startFloor(socketPath: string, bytes: number, style: FloorStyle): Promise<Floor> {
  const server = spawn(process.execPath, [serverFile, socketPath, String(bytes), style], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(server, 'exit');
  const first = await Promise.race([once(server.stdout, 'data').then(() => 'listening'), exited]);
  if (first !== 'listening') throw new Error('the floor did not start');
  return {
    socketPath,
    stop: async () => {
      server.kill();
      await exited;
    },
  };
}
