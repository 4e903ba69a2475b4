import { isForbiddenVariable } from '../../daemon/forbidden-env.ts';
import { copyBytes } from '../../protocol/bytes.ts';
import { readGivenFile } from '../environment/given-file.ts';
import type { Found, Harvest } from './candidates.ts';

/** More than Linux lets an environment have: three quarters of 8 MiB (execve(2)). */
const mostBytes = 8 * 1024 * 1024;

/** What shells and sessions set for themselves. */
const ofSession =
  /^(?:_|PWD|OLDPWD|SHLVL|HOME|USER|LOGNAME|SHELL|TERM|COLORTERM|LANG|LANGUAGE|TZ|HOSTNAME|MAIL|EDITOR|VISUAL|PAGER|DISPLAY|WAYLAND_DISPLAY|COLUMNS|LINES|PS[0-4]|(?:LC|XDG|SSH|DBUS|SYSTEMD|GPG)_.*|NO_COLOR|CI)$/;

/**
 * The variables of this process with their exact bytes: those named, or all but those of the session and those that
 * change how programs load code. Our own, such as HUSH_MASTER_KEY, are never taken.
 */
export function harvestEnvironment(names: readonly string[], all: boolean): Harvest {
  // What the process began with. Node's own copy of it is text, in which not every byte survives.
  const block = readGivenFile('/proc/self/environ', 'environment', mostBytes);
  try {
    return harvestFrom(variablesIn(block), names, all);
  } finally {
    block.fill(0);
  }
}

function harvestFrom(
  variables: ReadonlyMap<string, Uint8Array>,
  names: readonly string[],
  all: boolean,
): Harvest {
  const problems: string[] = [];
  const found: Found[] = [];
  const wanted = all
    ? [...variables.keys()].filter(
        (name) => !ofSession.test(name) && !isForbiddenVariable(name) && !isOurs(name),
      )
    : [...new Set(names)];
  for (const name of wanted) {
    const value = variables.get(name);
    if (isOurs(name)) problems.push(`${name} is for hush itself`);
    else if (value === undefined) problems.push(`${name} is not set`);
    else found.push({ steps: [name], value: copyBytes(value) });
  }
  return { found, problems, references: 0, empty: 0 };
}

const isOurs = (name: string): boolean => name.startsWith('HUSH_');

/** The variables of an environment, their values as parts of it. */
function variablesIn(bytes: Uint8Array): Map<string, Uint8Array> {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const variables = new Map<string, Uint8Array>();
  for (let start = 0; start < block.length;) {
    const nul = block.indexOf(0, start);
    const end = nul < 0 ? block.length : nul;
    const mark = block.indexOf(0x3d, start);
    if (mark > start && mark < end)
      variables.set(block.toString('utf8', start, mark), block.subarray(mark + 1, end));
    start = end + 1;
  }
  return variables;
}
