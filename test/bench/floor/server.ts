import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { Packr } from 'msgpackr/pack';
import { Unpackr } from 'msgpackr/unpack';

/**
 * The floor: what plain Node does with the framing, the codec and the socket of hushd, and nothing else.
 * Every request is answered `{id, ok: {value: <bytes>}}`; nobody is asked who they are, nothing is looked up.
 * Started as `node server.ts SOCKET BYTES STYLE`; says `listening` when it is.
 *
 * STYLE `packed` encodes each reply with msgpackr, as a server must whose answers differ. STYLE `patched`
 * encodes the constant once and writes only the id into a copy, the least that can be done at all.
 */
const [, , socketPath = '', bytes = '200', style = 'packed'] = process.argv;

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false });

const ok = { value: Buffer.alloc(Number(bytes), 7) };
const constantBody = Buffer.concat([
  Buffer.of(0x82, 0xa2, 0x69, 0x64, 0xce, 0, 0, 0, 0, 0xa2, 0x6f, 0x6b),
  packr.pack(ok),
]);
const constantFrame = Buffer.concat([Buffer.alloc(4), constantBody]);
constantFrame.writeUInt32BE(constantBody.length, 0);
const idOffset = 9;

/** The largest reply, with room for the longest form of an id. */
const replySize = constantFrame.length + 16;
const outputSize = Math.max(65_536, replySize);

/** Writes one reply into the output and gives the place after it. */
type WriteReply = (output: Buffer, at: number, id: number) => number;

const writePatched: WriteReply = (output, at, id) => {
  output.set(constantFrame, at);
  output.writeUInt32BE(id, at + idOffset);
  return at + constantFrame.length;
};

const writePacked: WriteReply = (output, at, id) => {
  const body = packr.pack({ id, ok });
  output.writeUInt32BE(body.length, at);
  output.set(body, at + 4);
  return at + 4 + body.length;
};

const writeReply = style === 'patched' ? writePatched : writePacked;

/** Answers every whole request of what was read with one write. */
function answering(socket: Socket): (chunk: Buffer) => void {
  let rest: Buffer | undefined;
  let output = Buffer.allocUnsafeSlow(outputSize);
  return (chunk) => {
    const input = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    // A write that did not go through at once still reads from the buffer it was given.
    if (socket.writableLength > 0) output = Buffer.allocUnsafeSlow(outputSize);
    let used = 0;
    let at = 0;
    while (input.length - at >= 4) {
      const end = at + 4 + input.readUInt32BE(at);
      if (end > input.length) break;
      // Both ends of the floor are ours: what comes is a request.
      const { id } = unpackr.unpack(input, { start: at + 4, end }) as { id: number };
      if (used + replySize > output.length) {
        socket.write(output.subarray(0, used));
        output = Buffer.allocUnsafeSlow(outputSize);
        used = 0;
      }
      used = writeReply(output, used, id);
      at = end;
    }
    if (at < input.length) rest = Buffer.from(input.subarray(at));
    if (used > 0) socket.write(output.subarray(0, used));
  };
}

createServer((socket) => {
  socket.on('data', answering(socket));
  socket.on('error', () => socket.destroy());
}).listen(socketPath, () => {
  process.stdout.write('listening\n');
});
