import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, test, type TestContext } from 'node:test';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { openChain } from '../../daemon/audit/chain.ts';
import { chainFiles, segmentNumber, stubFileName } from '../../daemon/audit/segments.ts';
import { readStub, stubLine, type StubFacts } from '../../daemon/audit/stubs.ts';
import { readLink } from '../../daemon/audit/records.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { HushError } from '../../protocol/errors.ts';
import { makeHome, passphraseCredential, startDaemon, type TestHome } from '../support/daemon.ts';
import {
  filesIn,
  linesIn,
  rebuilt,
  smallSegments,
  someCalls,
  textOf,
  verifyTexts,
  vouchingOf,
  writeLiveLog,
  type Files,
  type Vouching,
} from './live-log.ts';
import { newFolder } from './fixtures.ts';
import { restore, take } from '../backup/files.ts';

const killedWriter = fileURLToPath(new URL('killed-writer.ts', import.meta.url));

const undo: (() => unknown)[] = [];
// Of a test's context the helpers use this alone; all tests of this file share what they make.
const afterwards = { after: (step: () => unknown) => undo.push(step) } as unknown as TestContext;

describe('the audit of a daemon', () => {
  let home: TestHome;
  let files: Files;
  let vouching: Vouching;

  before(async () => {
    home = makeHome(afterwards);
    await home.init();
    home.configure(smallSegments);
    await writeLiveLog(afterwards, home);
    files = filesIn(home.profile().audit);
    vouching = await vouchingOf(home);
  });

  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test('is whole, has stubs and several segments, and ends with the seal that the vault remembers', async () => {
    const { bad, stubbed, sealedSeq, head } = await verifyTexts(files, vouching);
    assert.equal(bad, undefined);
    assert.ok(files.size >= 4, [...files.keys()].join());
    assert.ok((stubbed?.segments ?? 0) >= 2);
    assert.deepEqual([sealedSeq, head], [vouching.remembered.seq, vouching.remembered]);
  });

  test('A5: shows each of 500 random tamperings', async () => {
    const names = [...files.keys()];
    const segments = names.filter((name) => segmentNumber(name) !== undefined);
    const changed = (name: string, change: (lines: string[]) => readonly string[]): Files =>
      new Map([...files, [name, textOf(change(linesIn(files.get(name))))]]);
    const anyLine = fc
      .constantFrom(...names)
      .chain((name) =>
        fc.record({ name: fc.constant(name), at: fc.nat(linesIn(files.get(name)).length - 1) }),
      );

    const edit = fc
      .tuple(anyLine, fc.nat(10_000), fc.integer({ min: 1, max: 255 }))
      .map(([{ name, at }, column, flip]) =>
        changed(name, (lines) => {
          const line = lines[at] ?? '';
          const place = column % line.length;
          const character = String.fromCharCode(line.charCodeAt(place) ^ flip);
          return lines.with(at, line.slice(0, place) + character + line.slice(place + 1));
        }),
      );
    const deletion = anyLine.map(({ name, at }) => changed(name, (lines) => lines.toSpliced(at, 1)));
    const insertion = fc
      .tuple(anyLine, anyLine)
      .map(([{ name, at }, from]) =>
        changed(name, (lines) => lines.toSpliced(at, 0, linesIn(files.get(from.name))[from.at] ?? '')),
      );
    const swap = fc
      .tuple(anyLine, fc.nat(10_000))
      .map(([{ name, at }, other]) =>
        changed(name, (lines) => {
          const to = other % lines.length;
          return lines.with(at, lines[to] ?? '').with(to, lines[at] ?? '');
        }),
      )
      .filter((made) => names.some((name) => made.get(name) !== files.get(name)));
    const truncation = fc.tuple(fc.constantFrom(...names), fc.nat(1_000_000)).map(([name, cut]) => {
      const text = files.get(name) ?? '';
      return new Map([...files, [name, text.slice(0, cut % text.length)]]);
    });
    const rebuilding = fc
      .constantFrom(...segments)
      .chain((name) => fc.nat(linesIn(files.get(name)).length - 1).map((line) => rebuilt(files, name, line)));
    const removal = fc
      .subarray(names, { minLength: 1 })
      .map((gone) => new Map([...files].filter(([name]) => !gone.includes(name))));
    const exchange = fc
      .tuple(fc.constantFrom(...names), fc.constantFrom(...names))
      .filter(([a, b]) => a !== b)
      .map(([a, b]) => new Map([...files, [a, files.get(b) ?? ''], [b, files.get(a) ?? '']]));
    const forgedStub = fc
      .nat(segments.length - 2)
      .map((last) => forgeStubs(files, segments.slice(0, last + 1)));
    const changedStub = fc
      .tuple(
        fc.nat(linesIn(files.get(stubFileName)).length - 1),
        fc.constantFrom('firstTime', 'lastTime', 'segment'),
      )
      .map(([at, field]) =>
        changed(stubFileName, (lines) => {
          const stub = readStub(Buffer.from(lines[at] ?? ''));
          const facts: StubFacts = {
            ...stub,
            [field]: field === 'segment' ? stub.segment + 7 : '2020-01-01T00:00:00.000Z',
          };
          return lines.with(at, forgedLine(facts));
        }),
      );

    const kinds = {
      edit,
      deletion,
      insertion,
      swap,
      truncation,
      rebuilding,
      removal,
      exchange,
      forgedStub,
      changedStub,
    };
    const counts = new Map<string, number>();
    const tampering = fc.oneof(
      ...Object.entries(kinds).map(([kind, made]) => made.map((tampered) => ({ kind, tampered }))),
    );
    await fc.assert(
      fc.asyncProperty(tampering, async ({ kind, tampered }) => {
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
        assert.ok(await isFound(tampered, vouching), kind);
      }),
      { numRuns: 500 },
    );
    for (const kind of Object.keys(kinds)) assert.ok((counts.get(kind) ?? 0) > 20, kind);
  });

  test('passes after a cut at any of 500 places behind what the vault remembers', async (t) => {
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    await someCalls(client, 7);
    // What is killed here is cut below as a kill could have cut it, byte by byte: this one is real.
    await daemon.kill();
    const { audit } = home.profile();
    const now = await vouchingOf(home);
    const killed = filesIn(audit);
    const { bad, head } = await verifyTexts(killed, now);
    assert.equal(bad, undefined);
    const newest = chainFiles(audit).segments.at(-1)?.path ?? '';
    const name = newest.slice(audit.length + 1);
    const text = killed.get(name) ?? '';
    const remembered = text.indexOf(now.remembered.hash);
    // What the vault remembers is in this file, or in one before it.
    const least = remembered < 0 ? 0 : text.indexOf('\n', remembered) + 1;
    assert.ok(
      head.seq > now.remembered.seq && text.length - least > 500,
      'records came after what is remembered',
    );
    const folder = newFolder(t);
    let torn = 0;
    cpSync(audit, folder, { recursive: true });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: least, max: text.length }), async (length) => {
        writeFileSync(join(folder, name), text.slice(0, length));
        await openChain(folder, 'default').close();
        const found = await verifyTexts(filesIn(folder), now);
        assert.deepEqual([found.bad, found.tornBytes], [undefined, 0], `cut at ${length} of ${text.length}`);
        torn += linesIn(filesIn(folder).get(name)).some((line) => line.includes('audit.repaired')) ? 1 : 0;
      }),
      { numRuns: 500 },
    );
    assert.ok(torn > 300, 'most of the cuts are in the middle of a line');
  });

  test('passes 500 logs whose writers were killed at a random moment', async (t) => {
    const state = { vaultId: '0'.repeat(32), secretOf: () => new Uint8Array(32).fill(1) };
    let files = 0;
    for (let writer = 0; writer < 5; writer += 1) {
      const folder = newFolder(t);
      const logs = Array.from({ length: 100 }, (_, number) => join(folder, String(number)));
      for (const log of logs) mkdirSync(log, { mode: 0o700 });
      await killAfter(killedWriter, [folder, String(logs.length)], randomInt(1, 40));
      for (const log of logs) {
        await openChain(log, 'default').close();
        const paths = chainFiles(log).segments.map(({ path }) => path);
        const { bad, tornBytes } = await verifyChain(paths, { seals: state });
        assert.deepEqual([bad, tornBytes], [undefined, 0], log);
        files += paths.length;
      }
    }
    assert.ok(files > 500, 'some went on in another file');
  });

  test('goes into a backup with all of its segments and stubs, and verifies where that is restored', async (t) => {
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    const path = join(newFolder(t), 'backup');
    await take(client, path);
    const present = filesIn(home.profile().audit);
    await daemon.stop();
    const other = makeHome(t);
    await restore(other, path);
    assert.deepEqual([...filesIn(other.profile().audit).keys()], [...present.keys()]);
    const restored = await startDaemon(t, other);
    const elsewhere = await restored.connect();
    const { warning } = await elsewhere.call('unlock', {
      profile: 'default',
      credentials: [passphraseCredential()],
    });
    assert.match(warning ?? '', /the profile was restored since, perhaps from another home$/);
    await elsewhere.call('lock', { profile: 'default' });
    const again = await elsewhere.call('unlock', {
      profile: 'default',
      credentials: [passphraseCredential()],
    });
    assert.equal(again.warning, undefined, 'the seals of here vouch for the audit of this daemon now');
    await restored.stop();
    const { bad, stubbed } = await verifyTexts(filesIn(other.profile().audit), await vouchingOf(other));
    assert.equal(bad, undefined);
    assert.ok((stubbed?.segments ?? 0) >= 2);
  });

  test('passes after a daemon was killed again and again while it wrote', async (t) => {
    for (let round = 0; round < 2; round += 1) {
      const daemon = await startDaemon(t, home);
      const client = await daemon.connect();
      await client.unlock([passphraseCredential()]);
      const busy = Array.from({ length: 4 }, () => someCalls(client, 8 + round).catch(() => undefined));
      await client.get('global/none').catch(() => undefined);
      await daemon.kill();
      client.close();
      await Promise.all(busy);
    }
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    await daemon.stop();
    assert.equal((await verifyTexts(filesIn(home.profile().audit), await vouchingOf(home))).bad, undefined);
  });
});

/** Runs a program until it has written so many bytes to standard output, and kills it in the midst of its work. */
async function killAfter(program: string, args: readonly string[], bytes: number): Promise<void> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let seen = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen >= bytes) child.kill('SIGKILL');
  });
  assert.deepEqual(await exited, [null, 'SIGKILL']);
}

async function isFound(files: Files, vouching: Vouching): Promise<boolean> {
  try {
    return (await verifyTexts(files, vouching)).bad !== undefined;
  } catch (error) {
    // A format number that no release has is refused by name.
    if (error instanceof HushError && error.code === 'NEWER_FORMAT') return true;
    throw error;
  }
}

const forgedLine = (facts: StubFacts): string =>
  stubLine(facts, { id: 'v1', secret: new Uint8Array(32).fill(1) }).trimEnd();

/** Stubs in place of segments that were taken away, with every field right but the MAC. */
function forgeStubs(files: Files, names: readonly string[]): Files {
  const stubs = linesIn(files.get(stubFileName));
  const { start, vaultId } = readStub(Buffer.from(stubs[0] ?? ''));
  const made = names.map((name) => {
    const lines = linesIn(files.get(name));
    const first = readLink(Buffer.from(lines[0] ?? ''));
    const last = readLink(Buffer.from(lines.at(-1) ?? ''));
    return forgedLine({
      segment: segmentNumber(name) ?? 0,
      start,
      vaultId,
      firstSeq: first.seq,
      lastSeq: last.seq,
      firstTime: first.time,
      lastTime: last.time,
      prev: first.prev,
      lastHash: last.hash,
    });
  });
  return new Map(
    [...files, [stubFileName, textOf([...stubs, ...made])] as const].filter(
      ([name]) => !names.includes(name),
    ),
  );
}
