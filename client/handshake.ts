import { setTimeout as delay } from 'node:timers/promises';
import type { ClientKey } from '../noise/client-key.ts';
import { beginEphemeral } from '../noise/ephemeral.ts';
import { createFieldOpener, createFieldSealer, openFields, sealFields } from '../noise/fields.ts';
import { beginInitiator } from '../noise/handshake.ts';
import { createRecordReader, prologueOf, sealedLength, sealRecords } from '../noise/records.ts';
import type { Transport } from '../noise/transport.ts';
import { newBytes } from '../protocol/bytes.ts';
import { HushError } from '../protocol/errors.ts';
import { now } from './clock.ts';
import { createGcm } from './local/aes-gcm.ts';

/** The records around all that goes over the socket. */
export interface Records {
  /** The records of bytes that leave. */
  seal(plain: Uint8Array): Uint8Array<ArrayBuffer>;
  /** Hands over what bytes that arrived open to, until `onPlain` answers false. Throws UNIDENTIFIED, TOO_LARGE. */
  receive(chunk: Uint8Array, onPlain: (plain: Uint8Array) => boolean): void;
}

/** The field encryption of a connection. */
export interface Fields {
  /** The parameters of a request with all values sealed. */
  seal(id: number, params: object): unknown;
  /** A result with all values opened, in memory that the caller wipes. Throws UNIDENTIFIED. */
  open(id: number, result: object): unknown;
}

/** What a handshake has agreed on. */
export interface Secured {
  readonly records: Records | undefined;
  readonly fields: Fields | undefined;
  /** Forgets all keys. */
  wipe(): void;
}

/** The bytes of both hellos, as they went over the socket. */
export interface Hellos {
  readonly sent: Uint8Array;
  readonly received: Uint8Array;
}

interface HandshakeOptions {
  readonly hellos: Hellos;
  /** The key of the enrolled client, whose private half the caller wipes; without one the handshake proves nobody. */
  readonly key: ClientKey | undefined;
  /** Whether values are sealed by themselves; without a key they are in any case. */
  readonly sealsFields: boolean;
  readonly expiresAt: number;
  /** Asks the daemon for its message. */
  readonly ask: (
    params: { pattern: 'IK' | 'NN'; message: Uint8Array },
    expiresAt: number,
  ) => Promise<{ readonly message: Uint8Array }>;
}

/**
 * Shakes hands with the daemon. Rejects with UNTRUSTED_LISTENER when who listens does not hold the pinned key, with
 * UNIDENTIFIED when the daemon does not know the client, and with what `ask` rejects with.
 */
export async function shakeHands(options: HandshakeOptions): Promise<Secured> {
  const { hellos, key, sealsFields } = options;
  const prologue = prologueOf(hellos.sent, hellos.received);
  if (key === undefined) {
    const initiator = beginEphemeral(prologue);
    try {
      const fieldKey = initiator.receive(await answerTo('NN', initiator.message1, options));
      return securedBy(undefined, fieldKey);
    } finally {
      initiator.wipe();
    }
  }
  const initiator = beginInitiator({
    prologue,
    staticKey: key.privateKey,
    remoteStatic: key.daemonKey,
  });
  try {
    const message2 = await answerTo('IK', initiator.message1, options);
    const transport = trusted(() => initiator.receive(message2));
    return securedBy(transport, sealsFields ? transport.fieldKey : undefined);
  } finally {
    initiator.wipe();
  }
}

/** The daemon's message; asked for once more where the daemon says when. */
async function answerTo(
  pattern: 'IK' | 'NN',
  message: Uint8Array,
  { ask, expiresAt }: HandshakeOptions,
): Promise<Uint8Array> {
  try {
    return (await ask({ pattern, message }, expiresAt)).message;
  } catch (error) {
    const wait = error instanceof HushError && error.code === 'RATE_LIMITED' ? error.retryAfterMs : undefined;
    if (wait === undefined || now() + wait >= expiresAt) throw error;
    await delay(wait);
  }
  return (await ask({ pattern, message }, expiresAt)).message;
}

/** What fails here failed by what the listener answered. */
function trusted(receive: () => Transport): Transport {
  try {
    return receive();
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'UNIDENTIFIED')) throw error;
    throw new HushError(
      'UNTRUSTED_LISTENER',
      'who listens on the socket does not hold the key of the daemon',
      {
        hint: 'do not go on: ask the operator who listens there, or whether the daemon got a new key (hush client add)',
      },
    );
  }
}

/** The key of the fields is wiped. */
function securedBy(transport: Transport | undefined, fieldKey: Uint8Array | undefined): Secured {
  const gcm = fieldKey === undefined ? undefined : createGcm(fieldKey);
  fieldKey?.fill(0);
  const records = transport === undefined ? undefined : recordsOf(transport);
  return {
    records,
    fields: gcm === undefined ? undefined : fieldsOf(gcm),
    wipe() {
      transport?.wipe();
      records?.wipe();
      gcm?.close();
    },
  };
}

function recordsOf(transport: Transport): Records & { wipe(): void } {
  const reader = createRecordReader(transport);
  return {
    seal(plain) {
      const sealed = newBytes(sealedLength(plain.byteLength));
      sealRecords(transport, plain, sealed);
      return sealed;
    },
    receive: reader.push,
    wipe: reader.wipe,
  };
}

function fieldsOf(gcm: ReturnType<typeof createGcm>): Fields {
  const sealer = createFieldSealer(gcm, 'request');
  const opener = createFieldOpener(gcm, 'reply');
  return {
    seal: (id, params) => sealFields(sealer, id, 'params', params),
    open: (id, result) => openFields(opener, id, 'ok', result),
  };
}
