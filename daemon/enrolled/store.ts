import { HushError } from '../../protocol/errors.ts';
import { parseClientName } from '../../protocol/names.ts';
import {
  longestClientsFile,
  mostClients,
  parseClients,
  writeClients,
  type EnrolledClient,
} from '../../noise/enrolled.ts';
import { isUsablePublicKey } from '../../noise/x25519.ts';
import { readSafeFile, writeFileAtomic } from '../home/files.ts';
import { copyBytes } from '../memory/plain-bytes.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { makeStaticKey, readStaticKey, type StaticKey } from './static-key.ts';

/** The enrolled clients of a daemon, and the key pair by which they know it. */
export interface EnrolledStore {
  /** All of them, in the order in which they were enrolled. */
  all(): readonly EnrolledClient[];
  /** The names of all of them; another set after each change. */
  names(): ReadonlySet<string>;
  /** The client whose public key this is. */
  withKey(publicKey: Uint8Array): EnrolledClient | undefined;
  /** The key pair; undefined where nobody was ever enrolled. Throws what is wrong with its file. */
  staticKey(): StaticKey | undefined;
  /**
   * Enrols a client and answers the daemon's public key, a copy; the first one makes the daemon's key pair. Throws
   * INVALID_NAME, EXISTS for a name or key that is taken, BAD_REQUEST for what is no public key, LIMIT_EXCEEDED past
   * 1,024 clients, UNAVAILABLE where nothing could be written, and what is wrong with the key pair's file.
   */
  add(client: { readonly name: string; readonly publicKey: Uint8Array; readonly by: string }): Uint8Array;
  /** Removes a client. Throws NOT_FOUND, UNAVAILABLE. */
  remove(name: string): EnrolledClient;
  /** Wipes the private key. */
  close(): void;
}

interface StoreParts {
  /** The file of the clients. */
  readonly clientsPath: string;
  /** The file of the daemon's key pair. */
  readonly keyPath: string;
  readonly arena: SecureArena;
  /** Told what is wrong with the key pair's file: then nobody can prove to be enrolled, and all else goes on. */
  readonly onFault: (error: HushError) => void;
}

/**
 * Reads both files; missing ones are no fault, except the key pair's where clients are enrolled. Throws what is wrong
 * with the file of the clients: DAMAGED, NEWER_FORMAT, UNSAFE_MODE, TOO_LARGE, UNAVAILABLE.
 */
export function openEnrolledStore({ clientsPath, keyPath, arena, onFault }: StoreParts): EnrolledStore {
  let clients = readClients(clientsPath);
  let names: ReadonlySet<string>;
  let byKey: ReadonlyMap<string, EnrolledClient>;
  let key = findKey();

  function findKey(): FoundKey {
    try {
      const pair = readStaticKey(keyPath, arena);
      if (pair === undefined && clients.length > 0) throw keyMissing(keyPath);
      return { pair };
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      onFault(error);
      return { fault: error };
    }
  }

  const index = (): void => {
    names = new Set(clients.map(({ name }) => name));
    byKey = new Map(clients.map((client) => [client.public, client]));
  };

  const keep = (next: readonly EnrolledClient[]): void => {
    writeFileAtomic(clientsPath, writeClients(next));
    clients = next;
    index();
  };

  const pairOf = (found: FoundKey): StaticKey | undefined => {
    if ('fault' in found) throw found.fault;
    return found.pair;
  };

  index();
  return {
    all: () => clients,
    names: () => names,
    withKey: (publicKey) => byKey.get(hexOf(publicKey)),
    staticKey: () => pairOf(key),
    add({ name, publicKey, by }) {
      const client = {
        name: parseClientName(name),
        public: hexOf(publicKey),
        createdAt: new Date().toISOString(),
        by,
      };
      if (!isUsablePublicKey(publicKey)) {
        throw new HushError('BAD_REQUEST', 'what should be the public key of the client is none');
      }
      const twin = clients.find((other) => other.name === name || other.public === client.public);
      if (twin !== undefined) throw taken(twin, name);
      if (clients.length >= mostClients) {
        throw new HushError('LIMIT_EXCEEDED', `a daemon knows at most ${mostClients} enrolled clients`, {
          hint: 'hush client remove NAME',
        });
      }
      const pair = pairOf(key) ?? makeStaticKey(keyPath, arena);
      key = { pair };
      keep([...clients, client]);
      return copyBytes(pair.public);
    },
    remove(name) {
      const client = clients.find((other) => other.name === name);
      if (client === undefined) {
        throw new HushError('NOT_FOUND', 'no client of that name is enrolled', { hint: 'hush client list' });
      }
      keep(clients.filter((other) => other !== client));
      // With nobody left who knows the missing key, the next client may have another.
      if ('fault' in key && clients.length === 0) key = findKey();
      return client;
    },
    close() {
      if ('pair' in key) key.pair?.private.wipe();
      key = { pair: undefined };
    },
  };
}

/** The key pair, if there is one, or why that cannot be told. */
type FoundKey = { readonly pair: StaticKey | undefined } | { readonly fault: HushError };

function readClients(path: string): readonly EnrolledClient[] {
  const file = readSafeFile(path, longestClientsFile);
  return file === undefined ? [] : parseClients(file);
}

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

function taken(twin: EnrolledClient, name: string): HushError {
  const message =
    twin.name === name
      ? `a client ${name} is enrolled already`
      : `that key is the client ${twin.name}'s already`;
  return new HushError('EXISTS', message, {
    hint: `choose another name, or: hush client remove ${twin.name}`,
  });
}

function keyMissing(path: string): HushError {
  return new HushError(
    'DAMAGED',
    `clients are enrolled, and the key by which they know the daemon is gone: ${path}`,
    {
      hint: 'put it back from a backup and restart the daemon, or remove every client (hush client list) and enrol them again',
    },
  );
}
