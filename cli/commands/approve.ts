import { HushError } from '../../protocol/errors.ts';
import { parseProfileName } from '../../protocol/names.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { Define } from '../commands.ts';
import { withDaemon, type Daemon } from '../daemon.ts';
import { columns } from '../format.ts';
import type { ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

interface ApproveOptions extends ProfileOption {
  readonly deny?: true;
}

type Request = ResultOf<'approval.list'>['requests'][number];

export const define: Define = (command, { output }) => {
  command
    .argument('[id]', 'the request to allow; without one, those that wait are listed')
    .option('--deny', 'refuse it instead')
    .addHelpText('after', examples)
    .action(async (id: string | undefined, options: ApproveOptions) => {
      if (id === undefined) {
        if (options.deny) throw badUsage('--deny needs the id of a request', 'approve');
        const requests = await withDaemon((daemon) => requestsOf(daemon, options));
        await output.facts({ requests }, linesOf(requests));
        if (requests.length === 0) await output.note('no read waits for an approval');
        return;
      }
      const approve = options.deny === undefined;
      const { profile, path, client, expiresInMs } = await withDaemon((daemon) =>
        decide(daemon, id, approve, options),
      );
      const seconds = Math.round(expiresInMs / 1000);
      const text = approve
        ? `${client} may read ${path} once, within ${seconds} s`
        : `${client} may not read ${path}, and may ask again in ${seconds} s`;
      await output.facts({ id, profile, path, client, approved: approve, expiresInMs }, [text]);
    });
};

const examples = `
A read that matches \`approve\` of its profile waits for somebody else than its asker: another user who is an operator, or
an enrolled client with the right admin. An approval covers one read.

Examples:
  hush approve
  hush approve 5a0c2f9e4b7d1836
  hush approve 5a0c2f9e4b7d1836 --deny`;

/** Those of the profile that was named, else of all profiles that the caller administers. */
async function requestsOf(daemon: Daemon, { profile }: ProfileOption): Promise<Request[]> {
  const { requests } = await daemon.call(
    'approval.list',
    profile === undefined ? {} : { profile: parseProfileName(profile) },
  );
  return requests;
}

/** The id alone says which profile it is in. */
async function decide(daemon: Daemon, id: string, approve: boolean, options: ProfileOption) {
  const request = (await requestsOf(daemon, options)).find((one) => one.id === id);
  if (request === undefined) {
    throw new HushError(
      'NOT_FOUND',
      'no request of that id waits: it has ended, or is none of yours to decide',
      {
        hint: 'hush approve',
      },
    );
  }
  const { profile } = request;
  return { profile, ...(await daemon.call('approval.decide', { profile, id, approve })) };
}

const linesOf = (requests: readonly Request[]): string[] =>
  columns(
    requests.map((request) => [
      request.id,
      `${request.profile}: ${request.path}`,
      `${request.client}, uid ${request.uid}, pid ${request.pid}${request.exe === undefined ? '' : `, ${request.exe}`}`,
      stateText(request),
    ]),
  );

function stateText({ state, by, expiresInMs }: Request): string {
  if (state === 'used') return `used, approved by ${by}`;
  const decided = by === undefined ? state : `${state} by ${by}`;
  return `${decided}, for another ${Math.ceil(expiresInMs / 1000)} s`;
}
