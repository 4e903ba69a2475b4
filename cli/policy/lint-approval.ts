import { profileConfigOf, type Config } from '../../daemon/config/config.ts';
import type { Remark, Surroundings } from './lint.ts';
import { overlaps } from './overlap.ts';

/** Somebody who may ask for a read, or decide on one, as far as the config says who that is. */
interface Person {
  readonly name: string;
  readonly isOwner: boolean;
  readonly isClient: boolean;
  readonly enrolled: boolean;
  /** Undefined for a client of any user. */
  readonly uid: number | undefined;
}

/** Patterns of `approve` for which there is no second identity that could approve what somebody reads. */
export function approvalRemarks(config: Config, profile: string, around: Surroundings): readonly Remark[] {
  const { approve, grants, requireEnrolled } = profileConfigOf(config, profile);
  const people = peopleIn(config, around).filter(({ enrolled }) => enrolled || !requireEnrolled);
  const grantOf = ({ name, isClient }: Person) => {
    const grant = isClient && Object.hasOwn(grants, name) ? grants[name] : undefined;
    return grant?.until !== undefined && grant.until <= around.now ? undefined : grant;
  };
  const deciders = people.filter((one) => !one.isClient || grantOf(one)?.admin === true);
  return approve.patterns.flatMap((pattern, index): Remark[] => {
    const askers = people.filter(
      (one) =>
        !one.isClient ||
        [...(grantOf(one)?.read.patterns ?? []), ...(grantOf(one)?.sign.patterns ?? [])].some((asked) =>
          overlaps(asked, pattern),
        ),
    );
    const lonely = askers.filter((asker) => !deciders.some((decider) => mayDecide(decider, asker)));
    const told = lonely.length === askers.length ? lonely : lonely.filter(({ isClient }) => isClient);
    if (told.length === 0) return [];
    const names = told.map(({ name }) => name).join(', ');
    return [
      {
        path: ['profiles', profile, 'approve', String(index)],
        message: `can be approved by nobody but who asks (${names}): it takes another user in operators.uids, or a client with admin`,
      },
    ];
  });
}

function peopleIn(
  { operators, clients }: Config,
  { daemonUid, enrolledNames }: Surroundings,
): readonly Person[] {
  const names = enrolledNames ?? new Set<string>();
  const known = new Set(clients.map(({ name }) => name));
  const client = { isOwner: false, isClient: true };
  return [
    ...(operators.owner
      ? [{ name: 'owner', isOwner: true, isClient: false, enrolled: false, uid: daemonUid }]
      : []),
    ...operators.uids
      .filter((uid) => uid !== daemonUid)
      .map((uid) => ({ name: `operator:${uid}`, isOwner: false, isClient: false, enrolled: false, uid })),
    ...clients.map(({ name, uid, enrolled }) => ({
      ...client,
      name,
      enrolled: enrolled === true || names.has(name),
      uid,
    })),
    ...[...names]
      .filter((name) => !known.has(name))
      .map((name) => ({ ...client, name, enrolled: true, uid: undefined })),
  ];
}

/** As the daemon decides it: two programs of one user are one side, but for the owner and those with keys of their own. */
function mayDecide(decider: Person, asker: Person): boolean {
  if (decider.name === asker.name) return false;
  if (asker.enrolled || decider.enrolled || decider.isOwner) return true;
  return asker.uid === undefined || decider.uid === undefined || asker.uid !== decider.uid;
}
