import { HushError } from '../../../protocol/errors.ts';
import { withDaemonAlone, type Daemon } from '../../daemon.ts';
import type { Output } from '../../output.ts';
import type { Target } from '../../target.ts';
import { escaped, shortened } from '../escape.ts';
import type { HelperLine } from '../helper.ts';
import { jsonLine, jsonStrings, textIn } from '../json-strings.ts';
import { readIfThere } from '../reading.ts';

/** The name of the secret for a server, by what docker calls it: `docker.https_3a_2f_2findex.docker.io_2fv1_2f`. */
export function nameOf(server: string): string {
  return shortened(`${prefix}${escaped(Buffer.from(server).toString('latin1'), '.')}`);
}

const prefix = 'docker.';

/** Prints the credentials of the server that standard input names. Throws NOT_FOUND by the text that docker knows. */
export async function get(input: Uint8Array, line: HelperLine, output: Output): Promise<void> {
  const server = serverIn(input);
  await withDaemonAlone(async (daemon) => {
    const found = await readIfThere(daemon, line.target(nameOf(server)));
    if (found === undefined) throw notFound();
    try {
      const { user, secret } = credentialIn(found.value, server);
      const answer = jsonLine([
        ['ServerURL', JSON.stringify(server)],
        ['Username', user],
        ['Secret', secret],
      ]);
      await output.bytes(answer).finally(() => answer.fill(0));
    } finally {
      found.value.fill(0);
    }
  });
}

/** Keeps the credentials that standard input tells. */
export async function store(input: Uint8Array, line: HelperLine): Promise<void> {
  const told = jsonStrings(input, 'what docker says');
  const server = textIn(told.get('ServerURL') ?? emptyText);
  if (server === '') throw missing('no credentials server URL');
  const user = told.get('Username') ?? emptyText;
  if (textIn(user) === '') throw missing('no credentials username');
  const secret = told.get('Secret');
  if (secret === undefined) throw missing('no credentials secret');
  const value = jsonLine([
    ['ServerURL', JSON.stringify(checked(server))],
    ['Username', user],
    ['Secret', secret],
  ]);
  try {
    await withDaemonAlone((daemon) => daemon.call('secret.set', { ...line.target(nameOf(server)), value }));
  } finally {
    value.fill(0);
  }
}

/** Deletes the credentials of the server that standard input names. */
export async function erase(input: Uint8Array, line: HelperLine): Promise<void> {
  const target = line.target(nameOf(serverIn(input)));
  await withDaemonAlone(async (daemon) => {
    try {
      await daemon.call('secret.delete', target);
    } catch (error) {
      throw error instanceof HushError && error.code === 'NOT_FOUND' ? notFound() : error;
    }
  });
}

/** Prints each server with its user. What `get` would not give, such as one that this client may not read, is not there. */
export async function list(line: HelperLine, output: Output): Promise<void> {
  const users = await withDaemonAlone(async (daemon) => {
    const found: [string, Uint8Array][] = [];
    for await (const target of targetsOf(daemon, line.target(`${prefix}x`))) {
      const credential = await credentialOf(daemon, target, line);
      if (credential !== undefined) found.push(credential);
    }
    return found;
  });
  await output.bytes(jsonLine(users));
}

/** The secrets of servers beside this one. */
async function* targetsOf(daemon: Daemon, { profile, path }: Target): AsyncGenerator<Target> {
  const start = path.slice(0, -1);
  let after: string | undefined;
  do {
    const page = await daemon.call('secret.list', {
      profile,
      prefix: start,
      ...(after === undefined ? {} : { after }),
    });
    for (const entry of page.entries) yield { profile, path: entry.path };
    after = page.next;
  } while (after !== undefined);
}

async function credentialOf(
  daemon: Daemon,
  target: Target,
  line: HelperLine,
): Promise<[string, Uint8Array] | undefined> {
  try {
    const found = await readIfThere(daemon, target);
    if (found === undefined) return undefined;
    try {
      const { server, user } = credentialIn(found.value);
      return line.target(nameOf(server)).path === target.path ? [server, user.slice()] : undefined;
    } finally {
      found.value.fill(0);
    }
  } catch (error) {
    if (error instanceof HushError && passedOver.includes(error.code)) return undefined;
    throw error;
  }
}

const passedOver: readonly string[] = ['ACCESS_DENIED', 'APPROVAL_PENDING', 'APPROVAL_DENIED', 'BAD_REQUEST'];

interface Credential {
  readonly server: string;
  /** JSON text. */
  readonly user: Uint8Array;
  /** JSON text. */
  readonly secret: Uint8Array;
}

/**
 * What a secret holds. Throws BAD_REQUEST for no credential of docker, CONFLICT for one of another server: a renamed or
 * copied secret must not send a password elsewhere.
 */
function credentialIn(value: Uint8Array, expected?: string): Credential {
  const members = jsonStrings(value, 'the secret');
  const [server, user, secret] = ['ServerURL', 'Username', 'Secret'].map((name) => members.get(name));
  if (user === undefined || secret === undefined || (server === undefined && expected === undefined)) {
    throw new HushError('BAD_REQUEST', 'the secret holds no credential of docker', { hint: 'docs/doors.md' });
  }
  const own = server === undefined ? (expected ?? '') : textIn(server);
  if (expected !== undefined && own !== expected) {
    throw new HushError('CONFLICT', 'the secret holds a credential for another server', {
      hint: 'docs/doors.md',
    });
  }
  return { server: own, user, secret };
}

/** The server that the line names. */
function serverIn(input: Uint8Array): string {
  const server = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input).trim();
  if (server === '') throw missing('no credentials server URL');
  return checked(server);
}

/** Throws BAD_REQUEST for a server whose name would lose something on its way into a secret's name. */
function checked(server: string): string {
  const isWhole = server.isWellFormed() && !server.includes('\ufffd') && server === server.trim();
  if (isWhole && !/\p{Cc}/u.test(server)) return server;
  throw new HushError('BAD_REQUEST', 'that is not the name of a server', { hint: '' });
}

const emptyText = Buffer.from('""');

/** The texts of docker-credential-helpers, by which docker knows what is wrong. */
const missing = (text: string): HushError => new HushError('BAD_REQUEST', text, { hint: '' });
const notFound = (): HushError =>
  new HushError('NOT_FOUND', 'credentials not found in native keychain', { hint: '' });
