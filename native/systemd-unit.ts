/** What systemd allows in the name of a unit (systemd.unit(5)), of the two kinds that hold processes. */
const unitPattern = /^[A-Za-z0-9:_.@\\-]{1,247}\.(?:service|scope)$/;
const slicePattern = /^[A-Za-z0-9:_.@\\-]{1,249}\.slice$/;

/**
 * The systemd unit in the text of /proc/PID/cgroup (cgroups(7)), or undefined where it shows none: the first part of
 * the path behind its slices, as `sd_pid_get_unit` has it. What lies further in is made by the unit itself or by a
 * user's own manager, who can give it any name; so a user's services are all `user@UID.service`.
 * The unified hierarchy goes before that of systemd in version 1; where both name a unit, and not the same, none counts.
 */
export function parseUnit(cgroup: string): string | undefined {
  const lines = cgroup.split('\n');
  const unified = unitOf(lines, '0::');
  const named = lines
    .map((line) => /^\d+:name=systemd:/.exec(line)?.[0])
    .find((prefix) => prefix !== undefined);
  const legacy = named === undefined ? undefined : unitOf(lines, named);
  if (unified !== undefined && legacy !== undefined) return unified === legacy ? unified : undefined;
  return unified ?? legacy;
}

function unitOf(lines: readonly string[], prefix: string): string | undefined {
  const path = lines.find((line) => line.startsWith(prefix))?.slice(prefix.length);
  const [root, ...parts] = path?.split('/') ?? [];
  if (root !== '') return undefined;
  const unit = parts.find((part) => !slicePattern.test(part));
  return unit !== undefined && unitPattern.test(unit) ? unit : undefined;
}
