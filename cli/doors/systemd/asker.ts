import { readFileSync } from 'node:fs';
import { identifyPeer, type PeerIdentity } from '../../../native/peer-process.ts';
import { HushError } from '../../../protocol/errors.ts';

const hierarchies = /^(?:0:|\d+:name=systemd):(\/.*)$/gm;

/**
 * Lets pass a peer that a service manager has started: its uid is 0, or this process's own, whose manager it then is.
 * Throws ACCESS_DENIED for anybody else, and for one whose process has ended.
 */
export function checkManager(fd: number): PeerIdentity {
  const peer = identifyPeer(fd);
  if (peer === undefined) throw new HushError('ACCESS_DENIED', 'the kernel names nobody who asks');
  if (peer.uid === 0 || peer.uid === process.geteuid?.()) return peer;
  throw new HushError(
    'ACCESS_DENIED',
    `uid ${peer.uid} asks for a credential, which only a service manager may`,
  );
}

/**
 * Makes sure that the process which asks runs in the control group of the unit that its address names: systemd fetches
 * credentials from within it, and who may choose an address may not choose that. Throws ACCESS_DENIED.
 */
export function checkUnit(fd: number, before: PeerIdentity, unit: string): void {
  const cgroup = readCgroup(before.pid);
  const after = identifyPeer(fd);
  const isSame = before.process !== undefined && before.process.startTime === after?.process?.startTime;
  if (isSame && cgroup !== undefined && isWithin(cgroup, unit, before.uid)) return;
  throw new HushError('ACCESS_DENIED', `who asks for a credential of ${unit} does not run in that unit`, {
    hint: `systemctl status ${before.pid}`,
  });
}

/**
 * Whether the text of /proc/PID/cgroup (cgroups(7)) places a process in this unit, in each hierarchy that systemd keeps
 * units in: the first part behind the slices, for a unit of a user's own manager behind that manager's unit.
 */
export function isWithin(cgroup: string, unit: string, uid: number): boolean {
  const paths = [...cgroup.matchAll(hierarchies)].map(([, path = '']) => path).filter((path) => path !== '/');
  return paths.length > 0 && paths.every((path) => unitOf(path, uid) === unit);
}

function unitOf(path: string, uid: number): string | undefined {
  const parts = path
    .split('/')
    .filter((part) => part !== '' && !part.endsWith('.slice') && part !== `user@${uid}.service`);
  // A name that could be taken for a file of the kernel's stands behind `_` (cg_escape of systemd).
  return parts[0]?.replace(/^_/, '');
}

function readCgroup(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'latin1');
  } catch {
    return undefined;
  }
}
