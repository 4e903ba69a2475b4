import { HushError } from '../../protocol/errors.ts';
import { parseProfileName } from '../../protocol/names.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { Define } from '../commands.ts';
import { noSuchProfile, stateOf, withDaemon, type Daemon } from '../daemon.ts';
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
        if (requests.length === 0) await output.note('nothing waits for an approval');
        return;
      }
      const approve = options.deny === undefined;
      const { profile, path, right, client, expiresInMs } = await withDaemon((daemon) =>
        decide(daemon, id, approve, options),
      );
      const seconds = Math.round(expiresInMs / 1000);
      const text = approve
        ? `${client} may ${verbs[right]} ${path} once, within ${seconds} s`
        : `${client} may not ${verbs[right]} ${path}, and may ask again in ${seconds} s`;
      await output.facts({ id, profile, path, right, client, approved: approve, expiresInMs }, [text]);
    });
};

const verbs = { read: 'read', sign: 'sign with' } as const;

const examples = `
A read that matches \`approve\` of its profile, or a signature with such a key, waits for somebody else than its asker:
another user who is an operator, or an enrolled client with the right admin. An approval covers one read, or one
signature.

Examples:
  hush approve
  hush approve 5a0c2f9e4b7d1836
  hush approve 5a0c2f9e4b7d1836 --deny`;

/** Those of the profile that was named, else of all profiles that the caller administers. */
async function requestsOf(daemon: Daemon, { profile }: ProfileOption): Promise<Request[]> {
  if (profile === undefined) return (await daemon.call('approval.list', {})).requests;
  const name = parseProfileName(profile);
  const { requests } = await daemon.call('approval.list', { profile: name });
  if (requests.length === 0 && (await stateOf(daemon, name)) === undefined) throw noSuchProfile(name);
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
      `${request.profile}: ${request.right === 'sign' ? 'sign with ' : ''}${request.path}`,
      `${request.client}, uid ${request.uid}, pid ${request.pid}${request.exe === undefined ? '' : `, ${request.exe}`}`,
      stateText(request),
    ]),
  );

function stateText({ state, by, expiresInMs }: Request): string {
  if (state === 'used') return `used, approved by ${by}`;
  const decided = by === undefined ? state : `${state} by ${by}`;
  return `${decided}, for another ${Math.ceil(expiresInMs / 1000)} s`;
}
