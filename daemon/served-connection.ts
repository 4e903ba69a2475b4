import { acceptEphemeral } from '../noise/ephemeral.ts';
import { acceptResponder, handshakeFailed } from '../noise/handshake.ts';
import { HushError } from '../protocol/errors.ts';
import type { Dispatcher } from './dispatch.ts';
import type { Presence } from './enrolled/presence.ts';
import type { EnrolledStore } from './enrolled/store.ts';
import type { Journal } from './journal.ts';
import type { Context } from './operations/handler.ts';
import type { Agreement, Handshake } from './transport/channel.ts';
import type { Service } from './transport/service.ts';

interface ServedConnectionParts {
  readonly dispatcher: Dispatcher;
  readonly journal: Journal;
  readonly enrolled: EnrolledStore;
  readonly presence: Presence;
  readonly context: Context;
}

/**
 * Serves one connection: as whom the kernel names until a handshake is through, then as the enrolled client whose key
 * it has proved.
 */
export function serveConnection(parts: ServedConnectionParts): Service {
  const { dispatcher, journal, enrolled, presence, context } = parts;
  const { peer } = context;
  /** Whether a handshake has begun whose outcome is not on record yet. */
  let isOpen = false;
  let leave: (() => void) | undefined;

  const succeed = (): void => {
    isOpen = false;
    journal.noteHandshake(peer, undefined);
  };

  const fail = (error: HushError): void => {
    isOpen = false;
    journal.noteHandshake(peer, error);
    journal.flush();
  };

  const ephemeral = ({ prologue, message }: Handshake): Agreement => {
    const { message2, fieldKey } = acceptEphemeral(prologue, message);
    peer.agreeOnFields();
    succeed();
    return { message: message2, transport: undefined, fieldKey, proved: () => undefined };
  };

  const asEnrolled = ({ prologue, message, sealsFields, end }: Handshake): Agreement => {
    const staticKey = staticKeyOf(enrolled);
    if (staticKey === undefined) throw handshakeFailed();
    const { remoteStatic, message2, transport } = acceptResponder({
      prologue,
      staticKey: staticKey.private.bytes,
      message1: message,
      isEnrolled: (key) => enrolled.withKey(key) !== undefined,
    });
    return {
      message: message2,
      transport,
      fieldKey: sealsFields ? transport.fieldKey : undefined,
      proved: () => {
        const client = enrolled.withKey(remoteStatic);
        if (client === undefined) throw handshakeFailed();
        leave = presence.enter(client.name, end);
        peer.prove(client.name);
        if (sealsFields) peer.agreeOnFields();
        succeed();
      },
    };
  };

  context.whenClosed(() => {
    leave?.();
    if (isOpen) fail(handshakeFailed());
  });

  return {
    whenKnown: () => context.peer.whenKnown(),
    begin: (request, settle) => {
      dispatcher.begin(context, request, settle);
    },
    endTurn: dispatcher.endTurn,
    greeted: () => {
      journal.noteGreeting(peer);
      journal.flush();
    },
    refused: (error) => {
      if (isOpen) fail(error);
      else dispatcher.refused(context, error);
    },
    wantsFields: () => peer.wantsFields,
    handshake(handshake) {
      isOpen = true;
      const wait = peer.takeToken(undefined, 'handshake');
      if (wait > 0) {
        const message = `too many handshakes: try again in ${wait} ms`;
        throw new HushError('RATE_LIMITED', message, { retryAfterMs: wait });
      }
      return handshake.pattern === 'NN' ? ephemeral(handshake) : asEnrolled(handshake);
    },
  };
}

/** The daemon's key pair. What is wrong with its file is the operator's business, who was told of it at the start. */
function staticKeyOf(enrolled: EnrolledStore): ReturnType<EnrolledStore['staticKey']> {
  try {
    return enrolled.staticKey();
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    return undefined;
  }
}
