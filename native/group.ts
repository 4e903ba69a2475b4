import { koffi } from './koffi.ts';
import { libc } from './libc.ts';

/** `struct group` of grp(3). */
const group = koffi.struct({ name: 'str', password: 'str', gid: 'uint32_t', members: 'void *' });

const getgrnam: (name: string) => unknown = libc.func('getgrnam', koffi.pointer(group), ['str']);

/** The id of a group by its name, wherever the system keeps its groups (nsswitch.conf(5)); undefined if there is none. */
export function groupId(name: string): number | undefined {
  const found = getgrnam(name);
  if (found === null) return undefined;
  // The struct is decoded as it is declared above.
  return (koffi.decode(found, group) as { gid: number }).gid;
}
