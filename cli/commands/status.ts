import type { ResultOf } from '../../protocol/operations.ts';
import type { Define } from '../commands.ts';
import { noSuchProfile, withRunningDaemon } from '../daemon.ts';
import { countText, durationText, sizeText } from '../format.ts';
import { profileOf, type ProfileOption } from '../target.ts';

type Status = ResultOf<'status'>;
type ProfileStatus = Status['profiles'][number];

export const define: Define = (command, { output }) => {
  command
    .addHelpText(
      'after',
      '\nWithout --profile it shows them all.\n\nExamples:\n  hush status\n  hush status --json',
    )
    .action(async (options: ProfileOption) => {
      const params = options.profile === undefined ? {} : { profile: profileOf(options, process.env) };
      const status = await withRunningDaemon((daemon) => daemon.call('status', params));
      if (params.profile !== undefined && status.profiles.length === 0) throw noSuchProfile(params.profile);
      await output.facts(status, linesOf(status));
    });
};

function linesOf(status: Status): string[] {
  const off = status.hardening.filter(({ state }) => state === 'off');
  const uptime = durationText(status.uptimeMs);
  return [
    `hushd ${status.version}, pid ${status.pid}, up ${uptime}, ${sizeText(status.rssBytes)}, Node ${status.node}`,
    ...status.profiles.map(({ name, ...rest }) => `profile ${name}: ${profileFacts(rest)}`),
    ...(status.profiles.length === 0 ? ['no profile yet: hush init'] : []),
    ...off.map(({ name, detail }) => `hardening ${name} is off${detail === undefined ? '' : `: ${detail}`}`),
  ];
}

/** What is known of a profile, its state first, in one line. */
export function profileFacts({
  state,
  problem,
  secrets,
  activeKey,
  cache,
}: Omit<ProfileStatus, 'name'>): string {
  const facts: string[] = [state];
  if (secrets !== undefined) facts.push(countText(secrets, 'secret'));
  if (activeKey !== undefined) facts.push(`key ${activeKey}`);
  if (cache !== undefined) {
    facts.push(
      `cache ${cache.entries} (${countText(cache.hits, 'hit')}, ${countText(cache.misses, 'miss', 'misses')})`,
    );
  }
  if (problem !== undefined) facts.push(problem);
  return facts.join(', ');
}
