import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { connect, type HushClient } from '../../../client/client.ts';
import { checkSocketPath, socketPathOf } from '../../../client/socket-path.ts';
import { checkDirectory } from '../../../daemon/home/safety.ts';
import { takeActivatedSocket } from '../../../native/activation.ts';
import { setCoreLimitZero } from '../../../native/process.ts';
import { shellWord } from '../../../protocol/shell-word.ts';
import { inheritedFrom } from '../../environment/inherited.ts';
import { startChild } from '../../environment/child.ts';
import { reportError, type Output } from '../../output.ts';
import type { DoorPlace } from '../listening.ts';
import { createAgent } from './agent.ts';
import { checkPatterns } from './keys.ts';
import { anotherPlace, listenForClients } from './listener.ts';

/** What the agent serves, where, and for whom. */
export interface AgentOptions {
  readonly profile: string;
  readonly patterns: readonly string[];
  readonly socket: string | undefined;
  /** How long a signature waits for an approval, in milliseconds. */
  readonly waitMs: number;
  /** The program that it is for, and its arguments; it serves until it is stopped where there is none. */
  readonly command: readonly string[];
  readonly output: Output;
}

/** A person waits longer than a program would. */
const deadlineMs = 15_000;

/** Runs the agent, and gives the exit code. Throws what `listenForClients` throws, and BAD_REQUEST. */
export async function runAgent(options: AgentOptions): Promise<number> {
  const { profile, patterns, command, output } = options;
  checkPatterns(patterns);
  setCoreLimitZero();
  const place = placeFor(options);
  const daemon = lazily(() => connect({ deadlineMs, profile }));
  const tell = (error: unknown): void => void reportError(error, output.json);
  const agent = createAgent({
    daemon: daemon.get,
    profile,
    patterns,
    waitMs: options.waitMs,
    onRefused: tell,
    onWaiting: ({ hint }) => void output.note(`a signature waits: ${hint}`).catch(goOn),
  });
  try {
    const listener = await listenForClients({ at: place.at, answer: agent.answer, onRefused: tell });
    try {
      if (command.length > 0) return await runWithAgent(command, place.path, output);
      // The shell's words are what ssh-agent prints.
      await output.facts({ socket: place.path }, [
        `SSH_AUTH_SOCK=${shellWord(place.path)}; export SSH_AUTH_SOCK;`,
      ]);
      await Promise.race([signal('SIGTERM'), signal('SIGINT')]);
      return 0;
    } finally {
      await listener.close();
    }
  } finally {
    daemon.close();
    place.remove();
  }
}

/** Runs a program that finds the agent at `socket`, and gives its exit code. */
async function runWithAgent(command: readonly string[], socket: string, output: Output): Promise<number> {
  const { variables, damaged } = inheritedFrom({ ...process.env, SSH_AGENT_PID: undefined }, false);
  for (const name of damaged) await output.note(`${name} is not valid UTF-8, and not passed on`);
  const env = { ...Object.fromEntries(variables), SSH_AUTH_SOCK: socket };
  return startChild({ command, env }).ended;
}

/** Whoever is served must not lose the agent because nobody takes what it tells any more. */
const goOn = (): void => undefined;

interface Place {
  readonly path: string;
  readonly at: DoorPlace;
  /** Removes what was made for this run alone. */
  remove(): void;
}

/** Handed over by systemd, asked for, beside the daemon's socket, or for a program in a folder of its own. */
function placeFor({ socket, command }: AgentOptions): Place {
  const nothing = (): void => undefined;
  const folder = dirname(socketPathOf({ ...process.env, HUSH_SOCKET: undefined }));
  const usual = join(folder, 'ssh-agent.sock');
  const fd = command.length > 0 ? undefined : takeActivatedSocket(process.env, 'hush-ssh-agent');
  if (fd !== undefined) return { path: socket ?? usual, at: { fd }, remove: nothing };
  if (socket !== undefined || command.length === 0) {
    const path = checkSocketPath(socket ?? usual, anotherPlace);
    return { path, at: { path }, remove: nothing };
  }
  checkDirectory(folder);
  checkSocketPath(join(folder, 'ssh-agent.XXXXXX', 'sock'), anotherPlace);
  const own = mkdtempSync(join(folder, 'ssh-agent.'));
  const path = join(own, 'sock');
  return {
    path,
    at: { path },
    remove: () => {
      rmSync(own, { recursive: true, force: true });
    },
  };
}

/** A connection that is made when it is first needed, and after each time that it could not be. */
function lazily(open: () => Promise<HushClient>): { get(): Promise<HushClient>; close(): void } {
  let client: Promise<HushClient> | undefined;
  return {
    get() {
      client ??= open().catch((error: unknown) => {
        client = undefined;
        throw error;
      });
      return client;
    },
    close() {
      client?.then(
        (open) => {
          open.close();
        },
        () => undefined,
      );
    },
  };
}

const signal = (name: NodeJS.Signals): Promise<void> =>
  new Promise((resolve) => process.once(name, () => resolve()));
