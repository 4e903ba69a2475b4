import { HushError } from '../../protocol/errors.ts';
import type { Daemon } from '../daemon.ts';
import { soonMs } from '../expiry.ts';
import { countText } from '../format.ts';
import { forProfile } from '../hints.ts';
import type { Finding } from './finding.ts';

const check = 'expiry';

/** Of a profile with more secrets only so many are looked at. */
const mostLooked = 20_000;
const pageSize = 1_000;
const mostNamed = 3;

/** Which values of an open profile have expired, or will soon, as far as the caller may list them. */
export async function lookAtExpiry(
  daemon: Daemon,
  profile: string,
  now: number = Date.now(),
): Promise<readonly Finding[]> {
  const expiring = await expiringIn(daemon, profile);
  if (expiring === undefined) return [];
  const past = expiring.entries.filter(({ at }) => at <= now);
  const soon = expiring.entries.filter(({ at }) => at > now && at - now <= soonMs);
  const findings: Finding[] = [
    ...findingFor(past, profile, 'has expired', 'have expired', 'hush set PATH, or hush delete PATH'),
    ...findingFor(soon, profile, 'expires soon', 'expire soon', 'hush list --long, then hush set PATH'),
  ];
  if (!expiring.isWhole) {
    const message = `${profile}: only the first ${mostLooked} secrets were looked at`;
    findings.push({ check, state: 'warning', message, hint: `hush list --expired -p ${profile}` });
  }
  if (findings.length > 0) return findings;
  return [{ check, state: 'ok', message: `${profile}: no value has expired, or will soon` }];
}

interface Expiring {
  readonly path: string;
  readonly at: number;
}

function findingFor(
  entries: readonly Expiring[],
  profile: string,
  one: string,
  many: string,
  hint: string,
): readonly Finding[] {
  if (entries.length === 0) return [];
  const names = entries.slice(0, mostNamed).map(({ path }) => path);
  const others = entries.length > mostNamed ? ', …' : '';
  const verb = entries.length === 1 ? one : many;
  const message = `${profile}: ${countText(entries.length, 'value')} ${verb}: ${names.join(', ')}${others}`;
  return [{ check, state: 'warning', message, hint: forProfile(hint, profile) }];
}

async function expiringIn(
  daemon: Daemon,
  profile: string,
): Promise<{ readonly entries: readonly Expiring[]; readonly isWhole: boolean } | undefined> {
  const entries: Expiring[] = [];
  let after: string | undefined;
  let looked = 0;
  try {
    do {
      const page = await daemon.call('secret.list', {
        profile,
        limit: pageSize,
        ...(after === undefined ? {} : { after }),
      });
      looked += page.entries.length;
      for (const { path, expiresAt } of page.entries) {
        if (expiresAt !== undefined) entries.push({ path, at: Date.parse(expiresAt) });
      }
      after = page.next;
    } while (after !== undefined && looked < mostLooked);
  } catch (error) {
    // It was locked meanwhile, or is none of the caller's business.
    if (error instanceof HushError && ['ACCESS_DENIED', 'LOCKED'].includes(error.code)) return undefined;
    throw error;
  }
  return { entries: entries.sort((a, b) => a.at - b.at), isWhole: after === undefined };
}
