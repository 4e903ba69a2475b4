import type { BenchDaemon } from './daemons.ts';
import { plainFigure, type Figure } from './figures.ts';
import { encryptRequests, hushTarget, setRequests } from './requests.ts';
import { figuresOf, runRounds } from './rounds.ts';
import { inFlight, valueBytes, type Scale } from './scale.ts';

/** What stores, which is on the disk before it is answered, and what seals. */
export async function changeFigures({ socketPath }: BenchDaemon, scale: Scale): Promise<Figure[]> {
  const results = await runRounds({
    targets: [hushTarget('set', socketPath, setRequests), hushTarget('encrypt', socketPath, encryptRequests)],
    rounds: scale.rounds,
    warmUp: scale.changes,
    oneAtATime: scale.changes,
    pipelined: scale.changes,
    inFlight,
  });
  const { p50, rates } = figuresOf(results);
  return [
    plainFigure(`set of ${valueBytes} bytes, median`, 'µs', p50('set')),
    plainFigure(`set of ${valueBytes} bytes, ${inFlight} in flight`, '/s', rates('set')),
    plainFigure(`encrypt of ${valueBytes} bytes, median`, 'µs', p50('encrypt')),
    plainFigure(`encrypt of ${valueBytes} bytes, ${inFlight} in flight`, '/s', rates('encrypt')),
  ];
}
