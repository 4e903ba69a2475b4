import { basename } from 'node:path';
import type { ClientRule, Config } from '../../daemon/config/config.ts';
import type { Remark, Surroundings } from './lint.ts';

/** Programs that run whatever they are given: the client is then not the script, but anybody with the program. */
const interpreters =
  /^(?:node(?:js)?|deno|bun|(?:python|ruby|perl|php|lua|tclsh|wish|guile)[\d.]*|(?:ba|da|z|k|fi|c|tc)?sh|busybox|env|java|dotnet|mono|pwsh|gdb|strace)$/;

/** What entries of `[clients]` may not mean as they are written. */
export function clientRemarks({ clients }: Config, around: Surroundings): readonly Remark[] {
  return clients.flatMap((client) =>
    [
      ...processRemarks(client, around.daemonUid),
      ...enrolmentRemarks(client, around.enrolledNames),
      ...rivals(client, clients).map(
        (rival) =>
          `can match the same peer as clients.${rival}, with as many conditions: such a peer is a stranger`,
      ),
    ].map((message) => ({ path: ['clients', client.name], message })),
  );
}

function processRemarks({ uid, exe, sha256, enrolled }: ClientRule, daemonUid: number): readonly string[] {
  const remarks: string[] = [];
  const looksInside = exe !== undefined || sha256 !== undefined;
  if (enrolled !== true && uid === daemonUid) {
    remarks.push(
      `has the daemon's own uid ${uid}: whoever runs as that user can read the daemon's files, and run another program`,
    );
  }
  if (exe !== undefined && interpreters.test(basename(exe))) {
    remarks.push(`names an interpreter, ${exe}: it is whatever script that is given`);
  }
  if (enrolled !== true && looksInside && uid === undefined) {
    remarks.push('has no uid: every user who can start that program is this client');
  }
  if (looksInside && uid !== undefined && uid !== daemonUid && daemonUid !== 0) {
    remarks.push(
      `asks for the executable of another user, which only a daemon of root may look at: it matches nobody`,
    );
  }
  return remarks;
}

function enrolmentRemarks(
  { name, enrolled }: ClientRule,
  names: ReadonlySet<string> | undefined,
): readonly string[] {
  if (names === undefined) return [];
  if (enrolled === true && !names.has(name))
    return [`is not enrolled, and matches nobody: hush client add ${name}`];
  if (enrolled !== true && names.has(name)) {
    return ['is enrolled, and is matched by its key alone, as if it said enrolled = true'];
  }
  return [];
}

/** The clients before it in the list that a peer may match together with it, none being the more specific. */
function rivals(client: ClientRule, clients: readonly ClientRule[]): readonly string[] {
  if (client.enrolled === true) return [];
  const before = clients.slice(0, clients.indexOf(client));
  return before
    .filter(
      (other) =>
        other.enrolled !== true &&
        conditionsOf(other).length === conditionsOf(client).length &&
        conditions.every((key) => (client[key] ?? other[key]) === (other[key] ?? client[key])),
    )
    .map(({ name }) => name);
}

const conditions = ['uid', 'gid', 'exe', 'sha256', 'unit'] as const;

function conditionsOf(client: ClientRule): readonly string[] {
  return conditions.filter((key) => client[key] !== undefined);
}
