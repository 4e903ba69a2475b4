import { join } from 'node:path';
import { enrol, type BenchDaemon } from './daemons.ts';
import { ratioFigure, type Figure, type Other } from './figures.ts';
import { startMatchingFloor } from './floor/match.ts';
import { startRedis, type Redis } from './redis.ts';
import { decryptRequests, getRequests, hushTarget } from './requests.ts';
import { figuresOf, runRounds, type Measured, type Target } from './rounds.ts';
import { counted, inFlight, valueBytes, type Scale } from './scale.ts';

const together = `${inFlight} in flight`;
const bytes = `${valueBytes} bytes`;

/** Reads: hushd's beside the floor's and Redis', and a large vault's beside a small one's. */
export async function readFigures(
  small: BenchDaemon,
  large: BenchDaemon,
  folder: string,
  scale: Scale,
): Promise<Figure[]> {
  const decrypts = await decryptRequests(small.load);
  const clientKey = await enrol(small.load);
  const servers: { stop(): Promise<void> }[] = [];
  const kept = <T extends { stop(): Promise<void> } | undefined>(server: T): T => {
    if (server !== undefined) servers.push(server);
    return server;
  };
  try {
    const get = kept(await startMatchingFloor(join(folder, 'get.sock'), small.load, getRequests, 'packed'));
    const copied = kept(
      await startMatchingFloor(join(folder, 'copy.sock'), small.load, getRequests, 'patched'),
    );
    const decrypt = kept(
      await startMatchingFloor(join(folder, 'decrypt.sock'), small.load, decrypts, 'packed'),
    );
    const redis = kept(await startRedis(join(folder, 'redis.sock'), valueBytes));
    const results = await runRounds({
      targets: [
        hushTarget('floor of get', get.socketPath, getRequests),
        hushTarget('get', small.socketPath, getRequests),
        { ...hushTarget('enrolled get', small.socketPath, getRequests), clientKey },
        hushTarget('get from many', large.socketPath, getRequests),
        hushTarget('copied', copied.socketPath, getRequests),
        hushTarget('floor of decrypt', decrypt.socketPath, decrypts),
        hushTarget('decrypt', small.socketPath, decrypts),
        ...(redis === undefined ? [] : [redisTarget(redis)]),
      ],
      ...scale,
      inFlight,
    });
    return figures(figuresOf(results), scale, redis);
  } finally {
    for (const server of servers) await server.stop();
  }
}

const redisTarget = ({ socketPath }: Redis): Target => ({
  name: 'redis',
  socketPath,
  protocol: 'redis',
  requests: [],
});

function figures({ p50, p99, rates }: Measured, { few, many }: Scale, redis: Redis | undefined): Figure[] {
  const floor = (values: readonly number[]): Other => ({ name: 'bare Node', values });
  const fromFew = (values: readonly number[]): Other => ({ name: `from one of ${counted(few)}`, values });
  const copying = (values: readonly number[]): Other => ({ name: 'bare Node that copies one reply', values });
  const ofRedis = (values: readonly number[]): Other => ({
    name: `GET of Redis ${redis?.version ?? ''}`,
    values,
  });

  const plain = (values: readonly number[]): Other => ({ name: 'over a plain connection', values });
  const get = `cached get of ${bytes}`;
  const enrolled = `${get} over an enrolled connection`;
  const decrypt = `decrypt of ${bytes}`;
  const fromMany = `cached get from a vault of ${counted(many)} secrets`;
  return [
    ratioFigure(`${get}, median`, 'µs', p50('get'), floor(p50('floor of get')), { most: 1.5 }),
    ratioFigure(`${get}, 99th percentile`, 'µs', p99('get'), floor(p99('floor of get')), { most: 2 }),
    ratioFigure(`${get}, ${together}`, '/s', rates('get'), floor(rates('floor of get')), { least: 0.4 }),
    ratioFigure(`${enrolled}, median`, 'µs', p50('enrolled get'), plain(p50('get')), { most: 2 }),
    ratioFigure(`${enrolled}, ${together}`, '/s', rates('enrolled get'), plain(rates('get'))),
    ratioFigure(`${decrypt}, median`, 'µs', p50('decrypt'), floor(p50('floor of decrypt')), { most: 1.6 }),
    ratioFigure(`${decrypt}, 99th percentile`, 'µs', p99('decrypt'), floor(p99('floor of decrypt'))),
    ratioFigure(`${decrypt}, ${together}`, '/s', rates('decrypt'), floor(rates('floor of decrypt')), {
      least: 0.35,
    }),
    ratioFigure(`${fromMany}, median`, 'µs', p50('get from many'), fromFew(p50('get')), { most: 1.1 }),
    ratioFigure(`${fromMany}, ${together}`, '/s', rates('get from many'), fromFew(rates('get'))),
    ratioFigure(`${get}, median`, 'µs', p50('get'), copying(p50('copied'))),
    ratioFigure(`${get}, ${together}`, '/s', rates('get'), copying(rates('copied'))),
    ...(redis === undefined
      ? []
      : [
          ratioFigure(`${get}, median`, 'µs', p50('get'), ofRedis(p50('redis'))),
          ratioFigure(`${get}, ${together}`, '/s', rates('get'), ofRedis(rates('redis'))),
        ]),
  ];
}
