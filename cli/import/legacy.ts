import { HushError, isErrorCode } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import { keyFromFile, keyFromVariable } from '../credentials.ts';
import { withDaemon, type Daemon } from '../daemon.ts';
import { countText } from '../format.ts';
import { legacyLines, ofLine, type LegacyLine } from '../legacy-lines.ts';
import type { Output } from '../output.ts';
import { createStatusLine, type StatusLine } from '../status-line.ts';

/** What the options say of an import of values that were sealed under a master key. */
export interface LegacyOptions {
  readonly keyFile?: string;
  readonly overwrite?: true;
  readonly check?: true;
}

interface Counts {
  readonly stored: number;
  readonly already: number;
}

/** So much is sent in one request, far below the smallest frame that holds the largest value. */
const chunk = { lines: 500, bytes: 256 * 1024 };

/**
 * Imports a file of values that were sealed straight under a master key, or only looks at it. Throws what reading it
 * and the daemon throw, with the line.
 */
export async function importLegacy(
  file: string,
  profile: string,
  options: LegacyOptions,
  output: Output,
): Promise<void> {
  const { overwrite = false, check = false } = options;
  const key = legacyKey(options, process.env);
  const status = createStatusLine(!output.json);
  try {
    const counts = await withDaemon(async (daemon) => {
      const request = { profile, key, ...(overwrite ? { overwrite } : {}) };
      const checked = await passThrough(daemon, file, { ...request, check: true }, status, 'checked');
      return check ? checked : await passThrough(daemon, file, request, status, 'stored');
    }).finally(status.clear);
    const verb = check ? 'can be imported' : counts.stored === 1 ? 'is imported' : 'are imported';
    const already =
      counts.already === 0
        ? ''
        : `, ${counts.already} ${counts.already === 1 ? 'was' : 'were'} there already`;
    await output.facts({ profile, checked: check, ...counts }, [
      `${countText(counts.stored, 'value')} ${verb}${already}`,
    ]);
    if (!check && counts.stored > 0) {
      await output.note('they are under the legacy key still: hush keys rotate seals them anew');
    }
  } finally {
    key.fill(0);
  }
}

/** Sends all lines of the file, some at a time. Throws the error of the first line that is refused. */
async function passThrough(
  daemon: Daemon,
  file: string,
  request: {
    readonly profile: string;
    readonly key: Uint8Array;
    readonly overwrite?: true;
    readonly check?: true;
  },
  status: StatusLine,
  verb: string,
): Promise<Counts> {
  let [stored, already] = [0, 0];
  for await (const lines of legacyLines(file, chunk)) {
    const answer = await sent(daemon, lines, request);
    const [first] = answer.refused;
    if (first !== undefined)
      throw refusedLine(lines, answer.refused.length, first, stored, request.check === true);
    stored += answer.stored;
    already += answer.already;
    status.show(() => `${countText(stored + already, 'value')} ${verb}`);
  }
  return { stored, already };
}

async function sent(
  daemon: Daemon,
  lines: readonly LegacyLine[],
  { key, ...request }: { readonly profile: string; readonly key: Uint8Array },
): Promise<ResultOf<'secret.importLegacy'>> {
  try {
    return await daemon.call('secret.importLegacy', { ...request, key, rows: lines.map(({ row }) => row) });
  } catch (error) {
    if (!(error instanceof HushError) || error.code !== 'WRONG_KEY') throw error;
    const range = `lines ${lines[0]?.number ?? 0} to ${lines.at(-1)?.number ?? 0}`;
    throw new HushError('WRONG_KEY', `${error.message} on ${range}; nothing of them was stored`, {
      hint: error.hint,
    });
  }
}

function refusedLine(
  lines: readonly LegacyLine[],
  count: number,
  { index, code, message, hint }: { index: number; code: string; message: string; hint: string },
  stored: number,
  isCheck: boolean,
): HushError {
  const others = count === 1 ? '' : `, and ${countText(count - 1, 'line')} near it cannot be imported either`;
  const state =
    isCheck || stored === 0 ? 'nothing was stored' : `${countText(stored, 'value')} before it are stored`;
  return ofLine(lines[index]?.number ?? 0, {
    code: isErrorCode(code) ? code : 'UNAVAILABLE',
    message: `${message}${others}; ${state}`,
    hint,
  });
}

/** The master key of the other system; the caller wipes it. Throws BAD_REQUEST, UNSAFE_MODE, UNAVAILABLE. */
function legacyKey({ keyFile }: LegacyOptions, env: NodeJS.ProcessEnv): Uint8Array<ArrayBuffer> {
  if (keyFile !== undefined) return keyFromFile(keyFile).secret;
  const key = keyFromVariable(env, 'HUSH_LEGACY_KEY');
  if (key !== undefined) return key;
  throw new HushError('BAD_REQUEST', 'the master key of the values is missing', {
    hint: 'hush import --legacy FILE --key-file KEY, or set HUSH_LEGACY_KEY',
  });
}
