import { dirname, join } from 'node:path';
import { checkSocketPath, socketPathOf } from '../../../client/socket-path.ts';
import { takeActivatedSocket } from '../../../native/activation.ts';
import { setCoreLimitZero, setNotDumpable } from '../../../native/process.ts';
import { reportError, type Output } from '../../output.ts';
import { anotherPlace, openDoor } from './door.ts';
import { addScope, type Scopes } from './places.ts';

interface RunOptions {
  readonly profile: string;
  readonly maps: readonly string[];
  readonly socket: string | undefined;
  readonly output: Output;
}

/** Runs the door until SIGTERM or SIGINT. Throws what `openDoor` throws, and BAD_REQUEST for what it was told. */
export async function runDoor({ profile, maps, socket, output }: RunOptions): Promise<void> {
  const scopes = maps.reduce<Scopes>((known, text) => addScope(text, known), new Map());
  // Values pass through this process for as long as it lives.
  setCoreLimitZero();
  setNotDumpable();
  const fd = takeActivatedSocket(process.env, 'hush-door-systemd');
  const usual = join(dirname(socketPathOf(process.env)), 'systemd.sock');
  const at = fd === undefined ? { path: checkSocketPath(socket ?? usual, anotherPlace) } : { fd };
  const told = Promise.race([signal('SIGTERM'), signal('SIGINT')]);
  const door = await openDoor({
    profile,
    scopes,
    at,
    onServed: ({ unit, credential }, from) => {
      output.note(`${unit} got ${credential} from ${from}`).catch(goOn);
    },
    onRefused: (error) => void reportError(error, output.json),
  });
  await output.facts({ listening: 'path' in at ? at.path : `descriptor ${at.fd}` }, [
    `listening for systemd at ${'path' in at ? at.path : 'the socket that it handed over'}`,
  ]);
  await told;
  await door.close();
}

/** A log that nobody takes any more must not end a door that others wait at: they would get an empty credential. */
const goOn = (): void => undefined;

const signal = (name: NodeJS.Signals): Promise<void> =>
  new Promise((resolve) => process.once(name, () => resolve()));
