import type { BenchDaemon } from './daemons.ts';
import { ratioFigure, type Figure, type Other } from './figures.ts';
import { decryptRequests, encryptRequests, getRequests, hushTarget, setRequests } from './requests.ts';
import { figuresOf, runRounds, type Target } from './rounds.ts';
import { inFlight, valueBytes, type Scale } from './scale.ts';

const rules = 1_000;
const others = 9;
const rulesEach = rules / (others + 1);
const connections = 3;

const list = (patterns: readonly string[]): string => `[${patterns.map((one) => `'${one}'`).join(', ')}]`;

/**
 * A config of 1,000 rules. Whoever runs the bench is a client with 100 of them, half for paths, half for keys; those
 * that allow what the bench asks stand last. The others belong to clients that this machine does not have.
 */
export function ruledConfig(): string {
  const half = rulesEach / 2;
  const numbered = (count: number, text: (number: number) => string): string[] =>
    Array.from({ length: count }, (_, number) => text(number));
  const other = (number: number): string => `
[clients.service-${number}]
uid = ${70_000 + number}
[profiles.default.grants.service-${number}]
read = ${list(numbered(half, (path) => `pr:service-${number}/part-${path}.*`))}
crypto = ${list(numbered(half, (key) => `default/service-${number}-${key}/*`))}
`;
  return `[clients.asker]
uid = ${process.getuid?.() ?? 0}
[profiles.default.grants.asker]
unlock = true
read = ${list([...numbered(half - 2, (path) => `pr:service/part-${path}.*`), 'global/secret-*'])}
write = ['global/secret-*']
crypto = ${list([...numbered(half - 1, (key) => `default/settings-${key}/*`), 'default/mail/*'])}
${numbered(others, other).join('')}`;
}

/** What a config of 1,000 rules and three connections of a named client cost: beside the owner's one connection. */
export async function ruledFigures(plain: BenchDaemon, ruled: BenchDaemon, scale: Scale): Promise<Figure[]> {
  const [plainDecrypts, ruledDecrypts] = [
    await decryptRequests(plain.load),
    await decryptRequests(ruled.load),
  ];
  const beside = (
    name: string,
    plainRequests: typeof getRequests,
    ruledRequests = plainRequests,
  ): Target[] => [
    hushTarget(name, plain.socketPath, plainRequests),
    { ...hushTarget(`ruled ${name}`, ruled.socketPath, ruledRequests), connections },
  ];
  const reads = figuresOf(
    await runRounds({
      targets: [...beside('get', getRequests), ...beside('decrypt', plainDecrypts, ruledDecrypts)],
      ...scale,
      inFlight,
    }),
  );
  const changes = figuresOf(
    await runRounds({
      targets: [...beside('set', setRequests), ...beside('encrypt', encryptRequests)],
      rounds: scale.rounds,
      warmUp: scale.changes,
      oneAtATime: scale.changes,
      pipelined: scale.changes,
      inFlight,
    }),
  );
  const without = (values: readonly number[]): Other => ({ name: 'without rules, one connection', values });
  return (['get', 'decrypt', 'set', 'encrypt'] as const).flatMap((op) => {
    const { p50, p99, rates } = op === 'get' || op === 'decrypt' ? reads : changes;
    const what = `${op === 'get' ? 'cached get' : op} of ${valueBytes} bytes with ${rules.toLocaleString('en-US')} rules, ${connections} connections`;
    const longest = { most: 1.15 };
    return [
      ratioFigure(`${what}, median`, 'µs', p50(`ruled ${op}`), without(p50(op)), longest),
      ratioFigure(`${what}, 99th percentile`, 'µs', p99(`ruled ${op}`), without(p99(op)), longest),
      ratioFigure(`${what}, ${inFlight} in flight`, '/s', rates(`ruled ${op}`), without(rates(op)), {
        least: 0.87,
      }),
    ];
  });
}
