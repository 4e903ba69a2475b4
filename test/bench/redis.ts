import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { quantile, type Rounds } from './load.ts';

/** A Redis of Debian's, with nothing on disk. */
export interface Redis {
  readonly version: string;
  readonly socketPath: string;
  readonly stop: () => Promise<void>;
}

/** The key that `startRedis` sets. */
const key = 'database-password';
const get = Buffer.from(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`);

/** Starts Redis on a Unix-domain socket, with one value of `bytes` bytes; undefined where it is not installed. */
export async function startRedis(socketPath: string, bytes: number): Promise<Redis | undefined> {
  const about = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  const version = /v=([\d.]+)/.exec(about.stdout)?.[1];
  if (about.status !== 0 || version === undefined) return undefined;
  const options = [
    '--port',
    '0',
    '--unixsocket',
    socketPath,
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    '/',
  ];
  const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(server, 'exit');
  for await (const line of createInterface({ input: server.stdout })) {
    if (line.includes('connections at')) break;
  }
  server.stdout.resume();
  await exchange(
    socketPath,
    Buffer.from(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${bytes}\r\n${'x'.repeat(bytes)}\r\n`),
  );
  return {
    version,
    socketPath,
    stop: async () => {
      server.kill();
      await exited;
    },
  };
}

/** Sends one command on a connection of its own and gives the first bytes of the reply. Rejects on an error reply. */
async function exchange(socketPath: string, command: Buffer): Promise<Buffer> {
  const socket = connect(socketPath);
  try {
    socket.write(command);
    // A socket without an encoding gives Buffers.
    const [reply] = (await once(socket, 'data')) as [Buffer];
    if (reply[0] === 0x2d) throw new Error(`redis: ${reply.toString()}`);
    return reply;
  } finally {
    socket.destroy();
  }
}

/** A connection on which the one value is asked for; every reply has the same length, so that counting bytes is enough. */
export async function openRedisRounds(socketPath: string): Promise<Rounds> {
  const { length: replyLength } = await exchange(socketPath, get);
  let onReplies: (count: number) => void = () => undefined;
  let onFailure: (reason: Error) => void = () => undefined;
  let rest = 0;
  const socket = connect({
    path: socketPath,
    onread: {
      buffer: Buffer.alloc(65_536),
      callback: (length) => {
        const bytes = rest + length;
        rest = bytes % replyLength;
        onReplies(Math.floor(bytes / replyLength));
        return true;
      },
    },
  });
  socket.on('close', () => {
    onFailure(new Error('redis closed the connection'));
  });
  await once(socket, 'connect');

  return {
    oneAtATime: (_requests, count) =>
      new Promise((resolve, reject) => {
        onFailure = reject;
        const times = new Float64Array(count);
        let asked = 0;
        let sentAt = performance.now();
        onReplies = (replies) => {
          if (replies === 0) return;
          times[asked] = (performance.now() - sentAt) * 1000;
          asked += 1;
          if (asked === count) {
            times.sort();
            resolve({ count, p50: quantile(times, 0.5), p99: quantile(times, 0.99) });
            return;
          }
          sentAt = performance.now();
          socket.write(get);
        };
        socket.write(get);
      }),
    pipelined: (_requests, count, inFlight) =>
      new Promise((resolve, reject) => {
        onFailure = reject;
        const batch = Buffer.concat(Array.from({ length: inFlight }, () => get));
        let sent = 0;
        let answered = 0;
        const fill = (): void => {
          const more = Math.min(count - sent, inFlight - (sent - answered));
          sent += more;
          if (more > 0) socket.write(batch.subarray(0, more * get.length));
        };
        const startedAt = performance.now();
        onReplies = (replies) => {
          answered += replies;
          if (answered === count) resolve(count / ((performance.now() - startedAt) / 1000));
          else fill();
        };
        fill();
      }),
    close: () => {
      onFailure = () => undefined;
      socket.destroy();
    },
  };
}
