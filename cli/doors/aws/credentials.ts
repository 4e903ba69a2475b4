import { HushError } from '../../../protocol/errors.ts';
import { withDaemon, type Daemon } from '../../daemon.ts';
import type { Output } from '../../output.ts';
import { targetOf, type ProfileOption, type Target } from '../../target.ts';
import { jsonLine, jsonStrings, textIn } from '../json-strings.ts';

const required = ['AccessKeyId', 'SecretAccessKey'] as const;
const optional = ['SessionToken', 'Expiration', 'AccountId'] as const;

/** A time of RFC 3339: some of AWS's tools read no other. */
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Prints the credentials that the secret holds, as `credential_process` wants them. Throws what a get throws, BAD_REQUEST
 * for a secret that holds none, EXPIRED for those whose own time is over.
 */
export async function printCredentials(path: string, options: ProfileOption, output: Output): Promise<void> {
  const target = targetOf(path, options, process.env);
  const { value, expiresAt } = await withDaemon((daemon: Daemon) => daemon.call('secret.get', target));
  try {
    const line = credentialLine(target, value, expiresAt);
    await output.bytes(line).finally(() => line.fill(0));
  } finally {
    value.fill(0);
  }
}

function credentialLine(
  target: Target,
  value: Uint8Array,
  expiresAt: string | undefined,
): Uint8Array<ArrayBuffer> {
  const members = jsonStrings(value, target.path);
  for (const name of required) {
    if (members.has(name)) continue;
    throw new HushError('BAD_REQUEST', `${target.path} has no ${name}`, {
      hint: 'hush help door aws shows what such a secret holds',
    });
  }
  const own = members.get('Expiration');
  const until = own === undefined ? expiresAt : textIn(own);
  if (until !== undefined) checkTime(target, until);
  return jsonLine([
    ['Version', '1'],
    ...[...required, ...optional].flatMap((name) => {
      const json = members.get(name);
      return json === undefined ? [] : [[name, json] as const];
    }),
    ...(own === undefined && expiresAt !== undefined
      ? [['Expiration', JSON.stringify(expiresAt)] as const]
      : []),
  ]);
}

/** The tools of AWS would fail at what is no time, and ask over and over for what is over. */
function checkTime({ path }: Target, time: string): void {
  const moment = Date.parse(time);
  if (Number.isNaN(moment) || !rfc3339.test(time)) {
    throw new HushError('BAD_REQUEST', `the Expiration in ${path} is no time`, {
      hint: 'write it as 2026-12-31T23:59:59Z',
    });
  }
  if (moment > Date.now()) return;
  throw new HushError('EXPIRED', `the credentials in ${path} have expired`, {
    hint: `hush set ${path}, with fresh ones`,
  });
}
