import { isUtf8 } from 'node:buffer';
import { z } from 'zod';

import { HushError } from '../protocol/errors.ts';
import { isClientName } from '../protocol/names.ts';
import { utf8 } from './bytes.ts';
import { isUsablePublicKey } from './x25519.ts';

/** A client that was enrolled, as the daemon keeps it. */
export interface EnrolledClient {
  /** 1-64 of `A-Z a-z 0-9 _ -`, starting with a letter or digit; no two clients share one. */
  readonly name: string;
  /** The client's public key as 64 hex digits; no two clients share one. */
  readonly public: string;
  /** RFC 3339 in UTC with milliseconds. */
  readonly createdAt: string;
  /** Who enrolled it: 1-128 characters. */
  readonly by: string;
}

/** The number of the form that this release reads and writes. */
const formatNumber = 1;
const magic = 'hushd-clients';

/** How many clients a daemon knows at most, and how long the file of them may be, in bytes. */
export const mostClients = 1024;
export const longestClientsFile = 1024 * 1024;

const clientShape: z.ZodType<EnrolledClient> = z.strictObject({
  name: z.string().refine((name): boolean => isClientName(name)),
  public: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .refine((hex) => isUsablePublicKey(Buffer.from(hex, 'hex'))),
  createdAt: z.iso.datetime({ precision: 3 }),
  by: z.string().min(1).max(128),
});

const hint = 'put the file clients back from a backup, or enrol the clients again: hush client add';
const damaged = (fault: string): HushError =>
  new HushError('DAMAGED', `the file clients is damaged: ${fault}`, { hint });

/** What is wrong with a client, as the end of a sentence; undefined where nothing is. */
function faultOf(client: unknown): string | undefined {
  const parsed = clientShape.safeParse(client);
  if (parsed.success) return undefined;
  const key = parsed.error.issues[0]?.path[0];
  return key === undefined ? '' : `: ${String(key)} is wrong`;
}

/** The first client whose name or public key one before it has already. */
function twinOf(clients: readonly EnrolledClient[]): EnrolledClient | undefined {
  const taken = new Set<string>();
  for (const client of clients) {
    // A public key is longer than a name can be.
    if (taken.has(client.name) || taken.has(client.public)) return client;
    taken.add(client.name);
    taken.add(client.public);
  }
  return undefined;
}

/**
 * The bytes of the file `clients`: the line `hushd-clients 1`, then one line of JSON a client. Throws EXISTS
 * where two clients share a name or a key, BAD_REQUEST for one that `parseClients` would refuse,
 * LIMIT_EXCEEDED for more than 1,024.
 */
export function writeClients(clients: readonly EnrolledClient[]): Uint8Array {
  if (clients.length > mostClients) {
    throw new HushError('LIMIT_EXCEEDED', `a daemon knows at most ${mostClients} enrolled clients`, {
      hint: 'hush client remove NAME',
    });
  }
  for (const client of clients) {
    const fault = faultOf(client);
    if (fault !== undefined) throw new HushError('BAD_REQUEST', `that client cannot be enrolled${fault}`);
  }
  const twin = twinOf(clients);
  if (twin !== undefined) {
    throw new HushError('EXISTS', `the client ${twin.name}, or its key, is enrolled already`, {
      hint: 'hush client list',
    });
  }
  const lines = clients.map(({ name, public: publicKey, createdAt, by }) =>
    JSON.stringify({ name, public: publicKey, createdAt, by }),
  );
  return utf8([`${magic} ${formatNumber}`, ...lines].map((line) => `${line}\n`).join(''));
}

function parseLine(line: string, number: number): EnrolledClient {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw damaged(`line ${number} is no JSON`);
  }
  const fault = faultOf(json);
  if (fault !== undefined) throw damaged(`line ${number} is no client${fault}`);
  // `faultOf` has seen that it has this shape.
  return json as EnrolledClient;
}

/**
 * Reads the file `clients`. Throws DAMAGED, naming the line, and NEWER_FORMAT for a form of a later release.
 */
export function parseClients(file: Uint8Array): readonly EnrolledClient[] {
  if (file.byteLength > longestClientsFile) throw damaged(`it has more than ${longestClientsFile} bytes`);
  if (!isUtf8(file)) throw damaged('it is not UTF-8');
  const lines = new TextDecoder('utf-8', { ignoreBOM: true }).decode(file).split('\n');
  const number = /^hushd-clients ([1-9]\d{0,8})$/.exec(lines[0] ?? '')?.[1];
  if (number === undefined) throw damaged(`its first line is not ${magic} ${formatNumber}`);
  if (Number(number) > formatNumber) {
    throw new HushError(
      'NEWER_FORMAT',
      `the file clients has form ${number}, and this release reads ${formatNumber}`,
    );
  }
  if (lines.pop() !== '') throw damaged('its last line is cut off');
  if (lines.length - 1 > mostClients) throw damaged(`it names more than ${mostClients} clients`);
  const clients = lines.slice(1).map((line, index) => parseLine(line, index + 2));
  const twin = twinOf(clients);
  if (twin !== undefined)
    throw damaged(`line ${clients.indexOf(twin) + 2} has a name or key of a line before it`);
  return clients;
}
