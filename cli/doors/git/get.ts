import { HushError } from '../../../protocol/errors.ts';
import { withDaemonAlone, type Daemon } from '../../daemon.ts';
import type { Output } from '../../output.ts';
import type { HelperLine } from '../helper.ts';
import { linesOf, type Attributes } from './attributes.ts';
import { keptOf } from './kept.ts';
import { placeOf, type Place } from './name.ts';
import { readIfThere } from '../reading.ts';

type Lines = Uint8Array<ArrayBuffer>;

/** Answers git with what is kept, or with nothing. */
export async function get(asked: Attributes, line: HelperLine, output: Output): Promise<void> {
  const place = placeOf(asked);
  if (place === undefined) return;
  const secret = line.option('--secret');
  const lines = await withDaemonAlone((daemon) =>
    secret === undefined ? keptLines(daemon, place, asked, line) : lonelyLines(daemon, secret, asked, line),
  );
  if (lines === undefined) return;
  try {
    await output.bytes(lines);
  } finally {
    lines.fill(0);
  }
}

/** The credential of the user whom git names, or of the one who has the name of the place. */
async function keptLines(
  daemon: Daemon,
  place: Place,
  { plain }: Attributes,
  line: HelperLine,
): Promise<Lines | undefined> {
  const user = plain.get('username');
  for await (const { kept } of keptOf(user, place, daemon, line)) {
    const { plain: own, secret } = kept.attributes;
    const username = own.get('username') ?? user;
    return linesOf([
      ...(username === undefined ? [] : [['username', username] as const]),
      ...secret,
      ...expiryLine(kept.expiresAt),
    ]);
  }
  return undefined;
}

/** The secret that an option names is the password, as it is. */
async function lonelyLines(
  daemon: Daemon,
  secret: string,
  { plain }: Attributes,
  line: HelperLine,
): Promise<Lines | undefined> {
  const user = plain.get('username');
  const username = line.option('--username') ?? user;
  if (user !== undefined && username !== user) return undefined;
  const target = line.targetAt(secret);
  const found = await readIfThere(daemon, target);
  if (found === undefined) return undefined;
  const { value, expiresAt } = found;
  try {
    if (value.some((byte) => byte < 0x20 || byte === 0x7f)) {
      throw new HushError('BAD_REQUEST', `${target.path} has a newline or another control character`, {
        hint: 'git takes passwords of one line alone: set it again without',
      });
    }
    return linesOf([
      ...(username === undefined ? [] : [['username', username] as const]),
      ['password', value],
      ...expiryLine(expiresAt),
    ]);
  } finally {
    value.fill(0);
  }
}

const expiryLine = (expiresAt: string | undefined): (readonly [string, string])[] =>
  expiresAt === undefined ? [] : [['password_expiry_utc', String(Math.floor(Date.parse(expiresAt) / 1000))]];
