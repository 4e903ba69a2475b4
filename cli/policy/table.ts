import { parse, TomlDate, TomlError } from 'smol-toml';
import { z } from 'zod';
import { readRegularFile } from '../../daemon/home/files.ts';
import { HushError } from '../../protocol/errors.ts';

const moment = z.union(
  [
    z.custom<TomlDate>((value) => value instanceof TomlDate && value.isDateTime() && !value.isLocal()),
    z.iso.datetime({ offset: true }),
  ],
  { error: 'must be a date, a time and an offset' },
);

const expectation = z.strictObject({
  client: z.string(),
  profile: z.string().optional(),
  op: z.string(),
  path: z.string().optional(),
  tenant: z.string().optional(),
  enrolled: z.boolean().optional(),
  at: moment.transform((value) => new Date(value).getTime()).optional(),
  decision: z.enum(['allow', 'deny'], { error: "must be 'allow' or 'deny'" }),
});

/** A decision that somebody counts on. */
export type Expectation = z.output<typeof expectation>;

const table = z.strictObject({ expect: z.array(expectation).min(1).max(100_000) });

const maxTableBytes = 64 * 1024 * 1024;

const hint = 'hush help policy';

/** The table in a file: JSON if its name ends in .json, TOML otherwise. Throws BAD_REQUEST, TOO_LARGE, UNAVAILABLE. */
export function readTable(path: string): readonly Expectation[] {
  const text = textOf(path);
  const { data, error } = table.safeParse(
    path.endsWith('.json') ? fromJson(text, path) : fromToml(text, path),
  );
  if (data !== undefined) return data.expect;
  const lines = error.issues.slice(0, 20).map(({ path: keys, message }) => {
    const [, index, ...others] = keys.map(String);
    return index === undefined ? message : `number ${Number(index) + 1}: ${others.join('.')} ${message}`;
  });
  throw new HushError('BAD_REQUEST', `${path}: ${lines.join('; ')}`, { hint });
}

function textOf(path: string): string {
  return Buffer.from(readRegularFile(path, maxTableBytes)).toString('utf8');
}

function fromJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HushError('BAD_REQUEST', `${path}: is not JSON`, { hint, cause: error });
  }
}

function fromToml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ''] = error.message.split('\n');
    throw new HushError('BAD_REQUEST', `${path}: line ${error.line}: ${first}`, { hint, cause: error });
  }
}
