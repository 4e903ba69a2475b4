import { dotted, type ReadConfig } from '../../daemon/config/parse.ts';
import { groupId } from '../../native/group.ts';
import { lint, type PolicyFinding } from './lint.ts';
import { enrolledIn, profilesIn, type PolicySource } from './source.ts';

/** What is wrong with a config, and what it may not mean as it is written, with what is known of this home. */
export function checkPolicy(source: PolicySource, env: NodeJS.ProcessEnv): readonly PolicyFinding[] {
  const { file, isOwn, inspected } = source;
  const { reading, unsafe } = inspected;
  const modes = unsafe.map(({ path, message, hint }): PolicyFinding => ({
    level: isOwn ? 'error' : 'warning',
    file: path,
    key: '',
    message: `${message.replace(`${path} `, '')}; no daemon would read it: ${hint}`,
  }));
  if ('problems' in reading) {
    const problems = reading.problems.map(({ file: at, line, key, message }): PolicyFinding => ({
      level: 'error',
      file: at,
      ...(line === undefined ? {} : { line }),
      key,
      message,
    }));
    return [...modes, ...problems];
  }
  const around = {
    daemonUid: process.geteuid?.() ?? 0,
    enrolledNames: enrolledIn(env),
    profiles: isOwn ? profilesIn(env) : undefined,
    now: Date.now(),
  };
  return [...modes, ...groupFaults(reading, file), ...lint(reading, around, file)];
}

/** A group that there is not: the next start would be refused. */
function groupFaults({ config, placeOf }: ReadConfig, file: string): readonly PolicyFinding[] {
  const { socketGroup } = config.transport;
  if (typeof socketGroup !== 'string' || groupId(socketGroup) !== undefined) return [];
  const path = ['transport', 'socket_group'];
  const message = `there is no group ${socketGroup} on this machine: no daemon would start`;
  return [{ level: 'error', ...(placeOf(path) ?? { file }), key: dotted(path), message }];
}
