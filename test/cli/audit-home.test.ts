import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { checkpointsIn } from '../../cli/audit/checkpoints.ts';
import { withChain } from '../../cli/audit/chain-source.ts';
import { type ChainReport, jsonOfReport, textOfReport } from '../../cli/audit/report.ts';
import { verifyAudit } from '../../cli/audit/verification.ts';
import { openChain } from '../../daemon/audit/chain.ts';
import { checkpointLine } from '../../daemon/audit/checkpoint.ts';
import { folderParts } from '../../daemon/audit/parts.ts';
import { segmentFileName, stubFileName } from '../../daemon/audit/segments.ts';
import { verifyParts } from '../../daemon/audit/verify.ts';
import { parseProfileName } from '../../protocol/names.ts';
import {
  giveUp,
  got,
  key,
  newFolder,
  putLines,
  linesIn,
  sealAt,
  vaultId,
  writeSegments,
} from '../audit/fixtures.ts';

const profile = parseProfileName('default');

interface AuditHome {
  readonly env: NodeJS.ProcessEnv;
  readonly own: string;
  readonly daemon: string;
  /** Verifies without a daemon, with the lines of checkpoints if any. */
  verify(checkpoints?: string): Promise<readonly ChainReport[]>;
}

/** The audits of a home: that of a profile, whose seals vouch for that of the daemon, of three segments. */
async function makeAudits(t: TestContext): Promise<AuditHome> {
  const home = newFolder(t);
  const [own, daemon] = [join(home, 'audit', 'profiles', profile), join(home, 'audit', 'daemon')];
  mkdirSync(join(home, 'profiles', profile), { recursive: true });
  writeFileSync(join(home, 'profiles', profile, 'header'), '');
  await writeSegments(daemon, 3);
  const { head, start = '' } = await verifyParts(folderParts(daemon));
  const chain = openChain(own, 'default');
  for (let number = 1; number <= 3; number += 1) {
    chain.append(got(number));
    chain.seal({ ...sealAt(number), daemon: { ...head, start } }, key);
  }
  await chain.close();
  const env = { HUSH_HOME: home };
  return {
    env,
    own,
    daemon,
    verify: (checkpoints) =>
      verifyAudit({
        profile,
        daemon: undefined,
        checkpoints: checkpoints === undefined ? [] : checkpointsIn(checkpoints),
        env,
      }),
  };
}

describe('A5: hush audit verify of a home', () => {
  test('finds that the daemon’s own audit is gone, its folder or its files', async (t) => {
    const { daemon, verify } = await makeAudits(t);
    assert.deepEqual(
      (await verify()).map(({ bad }) => bad),
      [undefined, undefined],
    );
    for (const name of readdirSync(daemon)) rmSync(join(daemon, name));
    for (const state of ['empty', 'gone']) {
      const [own, missing] = await verify();
      assert.equal(own?.bad, undefined, state);
      assert.match(
        missing?.bad?.why ?? '',
        /^the daemon's own audit is missing: seals of profiles\/default remember record \d+ of it$/,
        state,
      );
      rmSync(daemon, { recursive: true, force: true });
    }
  });

  test('finds by a checkpoint alone that the daemon’s own audit is gone', async (t) => {
    const { own, daemon, verify } = await makeAudits(t);
    const { head, start = '' } = await verifyParts(folderParts(daemon));
    rmSync(own, { recursive: true });
    rmSync(daemon, { recursive: true });
    await writeSegments(own, 1);
    assert.equal((await verify()).length, 1, 'nothing tells of it');
    const time = '2026-01-01T00:00:00.000Z';
    const [, missing] = await verify(checkpointLine({ chain: 'daemon', start, ...head, time }, undefined));
    assert.match(missing?.bad?.why ?? '', /is missing: the checkpoint remembers record \d+ of it$/);
  });

  test('tells of places that seals vouch for in another daemon’s audit', async (t) => {
    const { own, daemon, verify } = await makeAudits(t);
    rmSync(daemon, { recursive: true });
    await writeSegments(daemon, 1);
    const { head, start = '' } = await verifyParts(folderParts(daemon));
    const chain = openChain(own, 'default');
    chain.seal({ ...sealAt(4), daemon: { ...head, start } }, key);
    await chain.close();
    const [, report] = await verify();
    assert.ok(report !== undefined && report.bad === undefined);
    assert.equal((jsonOfReport(report) as Record<string, unknown>)['vouchedElsewhere'], 1);
    assert.match(
      textOfReport(report).join('\n'),
      /1 place that seals vouch for is of another daemon's audit/,
    );
  });

  test('says that a profile’s audit is gone, and not that there is no such profile', async (t) => {
    const { env, own, verify } = await makeAudits(t);
    for (const name of readdirSync(own)) rmSync(join(own, name));
    const gone = { code: 'INTEGRITY', message: /^the audit of profile default is gone/ };
    await assert.rejects(verify(), gone);
    await assert.rejects(
      withChain(profile, env, () => Promise.resolve()),
      gone,
    );
    rmSync(own, { recursive: true });
    await assert.rejects(verify(), gone);
    rmSync(join(env['HUSH_HOME'] ?? '', 'profiles'), { recursive: true });
    await assert.rejects(verify(), { code: 'NO_SUCH_PROFILE' });
  });

  test('finds a stub in the daemon’s own audit that is of no vault of this home', async (t) => {
    const { daemon, env, verify } = await makeAudits(t);
    await giveUp(daemon, { keepBytes: 1 });
    assert.equal((await verify())[1]?.bad, undefined);
    const stubs = join(daemon, stubFileName);
    const other = 'fe'.repeat(16);
    writeFileSync(stubs, readFileSync(stubs, 'latin1').replaceAll(vaultId, other));
    const [, report] = await verify();
    assert.match(report?.bad?.why ?? '', /a vault that no profile of this home has/);
    // An audit that a deleted profile has left tells of its vault.
    const chain = openChain(join(env['HUSH_HOME'] ?? '', 'audit', 'profiles', 'old'), 'old');
    chain.seal({ ...sealAt(1), vaultId: other }, key);
    await chain.close();
    assert.deepEqual(
      (await verify()).map(({ bad }) => bad),
      [undefined, undefined],
    );
  });

  test('says how far the daemon’s own audit was compared where the profile’s is damaged', async (t) => {
    const { own, verify } = await makeAudits(t);
    const lines = linesIn(own);
    putLines(own, lines.with(3, (lines[3] ?? '').replace('name-2', 'name-9')));
    const [first, second] = await verify();
    assert.equal(first?.bad?.seq, 4);
    assert.ok(second !== undefined && second.bad === undefined);
    assert.match(textOfReport(second).join('\n'), /compared with the seals of the profile up to its #3 only/);
  });

  test('names a segment of a newer format, and goes on with the other audit', async (t) => {
    const { own, daemon, verify } = await makeAudits(t);
    const stub = '{"stub":2}\n';
    writeFileSync(join(daemon, stubFileName), stub);
    const [, newer] = await verify();
    assert.deepEqual([newer?.bad?.code, newer?.bad?.line], ['NEWER_FORMAT', 1]);
    cpSync(join(daemon, stubFileName), join(own, stubFileName));
    assert.deepEqual(
      (await verify()).map(({ bad }) => bad?.code),
      ['NEWER_FORMAT', 'NEWER_FORMAT'],
    );
    assert.ok(readdirSync(own).includes(segmentFileName(1)));
  });
});
