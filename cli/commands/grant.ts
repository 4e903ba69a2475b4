import { runtimeRights, type RuntimeRight } from '../../daemon/access/runtime-grants.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import { parseClientName } from '../../protocol/names.ts';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { parseDuration } from '../duration.ts';
import { columns, durationText } from '../format.ts';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

interface GrantOptions extends ProfileOption {
  readonly for?: string;
}

type Grants = ResultOf<'grant.list'>['grants'];

const mostSeconds = 30 * 86_400;

export const define: Define = (command, { output }) => {
  const list = async (options: GrantOptions): Promise<void> => {
    const params = options.profile === undefined ? {} : { profile: profileOf(options, process.env) };
    const { grants } = await withDaemon((daemon) => daemon.call('grant.list', params));
    await output.facts({ grants }, linesOf(grants));
  };

  const add = async (name: string, word: string, pattern: string, options: GrantOptions): Promise<void> => {
    const client = parseClientName(name);
    const right = rightNamed(word);
    const seconds = secondsOf(options);
    const profile = profileOf(options, process.env);
    const given = { profile, client, right, pattern, seconds };
    const { known, ...granted } = await withDaemon((daemon) => daemon.call('grant.add', given));
    const span = durationText(seconds * 1000);
    await output.facts({ ...given, ...granted, known }, [
      `${client} may ${right} ${pattern} on ${profile} for ${span}; to take it back: hush revoke ${granted.id}`,
    ]);
    if (Date.parse(granted.until) < Date.now() + seconds * 1000 - 5_000)
      await output.note(`it ends with your own right to grant: ${granted.until}`);
    if (!known)
      await output.note(`no client of that name is enrolled or in the config: nobody is ${client} now`);
  };

  command
    .argument('[client]', 'who gets it; without it, the grants for a time are listed')
    .argument('[right]', runtimeRights.join(', '))
    .argument('[pattern]', '<scope>/<name>, for crypto <keyring>/<namespace>/<key>, with `*`')
    .option('--for <time>', 'for how long: 30s, 10m, 8h, 7d')
    .addHelpText(
      'after',
      `
Such a grant is kept in the daemon's memory alone: it ends at its time, when it is taken back, and when the daemon ends.

Examples:
  hush grant shop read global/db-main --for 10m
  hush grant`,
    )
    .action(
      async (
        client: string | undefined,
        right: string | undefined,
        pattern: string | undefined,
        options: GrantOptions,
      ) => {
        if (client === undefined) return list(options);
        if (right === undefined || pattern === undefined)
          throw badUsage('RIGHT and PATTERN are missing', 'grant');
        return add(client, right, pattern, options);
      },
    );
};

function rightNamed(word: string): RuntimeRight {
  const right = runtimeRights.find((each) => each === word);
  if (right === undefined) throw badUsage(`RIGHT is one of ${runtimeRights.join(', ')}`, 'grant');
  return right;
}

function secondsOf(options: GrantOptions): number {
  const seconds = parseDuration(options.for ?? '');
  if (seconds !== undefined && seconds <= mostSeconds) return seconds;
  throw badUsage('--for needs a time such as 10m: a number and s, m, h or d, at most 30d', 'grant');
}

function linesOf(grants: Grants): readonly string[] {
  if (grants.length === 0) return ['there are no grants for a time'];
  return columns(
    grants.map(({ id, client, right, pattern, profile, by, secondsLeft }) => [
      id,
      `${client} may ${right} ${pattern} on ${profile}`,
      `for ${durationText(secondsLeft * 1000)} more, by ${by}`,
    ]),
  );
}
