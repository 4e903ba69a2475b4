import { wipe } from '../../../protocol/bytes.ts';
import { HushError } from '../../../protocol/errors.ts';
import { openLines } from '../../input.ts';
import type { Output } from '../../output.ts';
import { longestLine, readStanza, stanzaText, type Stanza } from './stanza.ts';

/** The talk with age, over standard input and output. */
export interface Conversation {
  /** What age says up to `done`, one after the other. Throws BAD_REQUEST where it says no stanza, or ends too early. */
  commands(): AsyncGenerator<Stanza>;
  /** Says something and waits for the answer, whatever it is. */
  say(type: string, args: readonly string[], body: Uint8Array): Promise<void>;
  /** Tells of an error: of the n-th identity or recipient, of a stanza of a file, or of this program itself. */
  fail(about: readonly string[], error: HushError): Promise<void>;
  /** Says that there is no more to come. */
  done(): Promise<void>;
  close(): void;
}

const encoder = new TextEncoder();
const noBody = new Uint8Array(0);

/** Begins to talk. */
export function openConversation(output: Output): Conversation {
  const lines = openLines(longestLine);
  const write = async (stanza: Stanza): Promise<void> => {
    const text = stanzaText(stanza);
    try {
      await output.bytes(text);
    } finally {
      wipe(text);
    }
  };
  const say = async (type: string, args: readonly string[], body: Uint8Array): Promise<void> => {
    await write({ type, args, body });
    const answer = await readStanza(lines);
    if (answer === undefined) throw new HushError('UNAVAILABLE', 'age has gone', { hint: '' });
  };

  return {
    async *commands() {
      for (;;) {
        const stanza = await readStanza(lines);
        if (stanza === undefined) throw endedEarly();
        if (stanza.type === 'done') return;
        yield stanza;
      }
    },
    say,
    fail: (about, { message, hint }) =>
      say('error', about, encoder.encode(hint === '' ? message : `${message} (${hint})`)),
    done: () => write({ type: 'done', args: [], body: noBody }),
    close: () => lines.close(),
  };
}

const endedEarly = (): HushError =>
  new HushError('BAD_REQUEST', 'the input ends before it says done', {
    hint: 'age starts this program itself: age -d -i FILE',
  });
