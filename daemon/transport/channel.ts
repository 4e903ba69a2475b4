import {
  createFieldOpener,
  createFieldSealer,
  openFields,
  sealFields,
  type FieldOpener,
  type FieldSealer,
} from '../../noise/fields.ts';
import { createRecordReader, prologueOf, type RecordReader } from '../../noise/records.ts';
import type { Transport } from '../../noise/transport.ts';
import { HushError } from '../../protocol/errors.ts';
import { operations, type ParamsOf } from '../../protocol/operations.ts';
import { createAesGcm } from '../keys/aes-gcm.ts';
import type { Outbox } from './outbox.ts';

/** A handshake as a connection brings it to its service. */
export interface Handshake extends ParamsOf<'handshake'> {
  /** The exact bytes of both hellos. */
  readonly prologue: Uint8Array;
  /** Whether one of the hellos asks for field encryption. */
  readonly sealsFields: boolean;
  /** Ends the connection, and tells the peer why. */
  readonly end: (reason: HushError) => void;
}

/** What a handshake has agreed on; its keys are the connection's to wipe. */
export interface Agreement {
  /** The daemon's message of the handshake. */
  readonly message: Uint8Array;
  /** Seals everything that follows; undefined where only the fields are sealed. */
  readonly transport: Transport | undefined;
  /** The key of the fields; undefined where they are not sealed by themselves. */
  readonly fieldKey: Uint8Array | undefined;
  /**
   * Called when the peer's first record has opened, which proves that it holds its key. Throws UNIDENTIFIED where
   * that client was removed meanwhile.
   */
  readonly proved: () => void;
}

/** What seals and opens between the frames of a connection and the bytes on its socket; nothing before a handshake. */
export interface Channel {
  /** Keeps what a handshake would need. */
  greeted(clientHello: Uint8Array, daemonHello: Uint8Array, sealsFields: boolean): void;
  /** Says that an ordinary request came: from then on there is no handshake any more. */
  settled(): void;
  /**
   * Answers the parameters of a handshake; `answer` gets the daemon's message, and what leaves after it has returned
   * is as the handshake has agreed. Throws BAD_REQUEST, UNIDENTIFIED, and RATE_LIMITED, after which it may be tried again.
   */
  shake(given: unknown, answer: (ok: { readonly message: Uint8Array }) => void): void;
  /** Whether what arrives is records, to be taken by `receive`. */
  isSealed(): boolean;
  /**
   * Takes bytes of records and hands over what each opens to until `onPlain` answers false. Throws UNIDENTIFIED, and
   * TOO_LARGE, for what is not the peer's next record: then the peer cannot be told either.
   */
  receive(chunk: Uint8Array, onPlain: (plain: Uint8Array) => boolean): void;
  /** Whether a begun record, or some that were put off, are kept. */
  pending(): boolean;
  /** Whether values in messages are sealed by themselves. */
  sealsFields(): boolean;
  /** The parameters of a request with all values opened, which the caller wipes. Throws UNIDENTIFIED. */
  open(id: number, params: unknown): unknown;
  /** A result with all values sealed. Throws UNAVAILABLE. */
  seal(id: number, result: object): unknown;
  /** Forgets all keys; nothing more is taken, sealed or opened. */
  wipe(): void;
}

interface ChannelParts {
  readonly outbox: Outbox;
  readonly handshake: (handshake: Handshake) => Agreement;
  readonly end: (reason: HushError) => void;
}

/** A channel that seals nothing yet. */
export function createChannel({ outbox, handshake, end }: ChannelParts): Channel {
  let hellos: Pick<Handshake, 'prologue' | 'sealsFields'> | undefined;
  let transport: Transport | undefined;
  let records: RecordReader | undefined;
  /** Due when the first record has opened. */
  let proved: (() => void) | undefined;
  let fields: Fields | undefined;

  return {
    greeted(clientHello, daemonHello, sealsFields) {
      hellos = { prologue: prologueOf(clientHello, daemonHello), sealsFields };
    },
    settled() {
      hellos = undefined;
    },
    shake(given, answer) {
      if (hellos === undefined)
        throw new HushError('BAD_REQUEST', 'a handshake comes right after hello, and once');
      const params = operations.handshake.params.safeParse(given);
      if (!params.success)
        throw new HushError('BAD_REQUEST', 'handshake needs a pattern, IK or NN, and its message');
      const agreed = handshake({ ...params.data, ...hellos, end });
      hellos = undefined;
      answer({ message: agreed.message });
      outbox.flush();
      if (agreed.fieldKey !== undefined) {
        fields = createFields(agreed.fieldKey);
        agreed.fieldKey.fill(0);
      }
      if (agreed.transport === undefined) return;
      transport = agreed.transport;
      records = createRecordReader(transport);
      proved = agreed.proved;
      outbox.secure(transport);
    },
    isSealed: () => records !== undefined,
    receive(chunk, onPlain) {
      records?.push(chunk, (plain) => {
        const due = proved;
        proved = undefined;
        due?.();
        return onPlain(plain);
      });
    },
    pending: () => records?.pending() ?? false,
    sealsFields: () => fields !== undefined,
    open: (id, params) => (fields === undefined ? params : openFields(fields.opener, id, 'params', params)),
    seal: (id, result) => (fields === undefined ? result : sealFields(fields.sealer, id, 'ok', result)),
    wipe() {
      records?.wipe();
      transport?.wipe();
      fields?.close();
    },
  };
}

/** The field encryption of one connection, requests opened and replies sealed. */
interface Fields {
  readonly opener: FieldOpener;
  readonly sealer: FieldSealer;
  readonly close: () => void;
}

function createFields(fieldKey: Uint8Array): Fields {
  const gcm = createAesGcm(fieldKey);
  return {
    opener: createFieldOpener(gcm, 'request'),
    sealer: createFieldSealer(gcm, 'reply'),
    close: gcm.close,
  };
}
