import assert from 'node:assert/strict';
import { copyFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { checkpointsIn } from '../../cli/audit/checkpoints.ts';
import { verifyFiles } from '../../cli/audit/given-files.ts';
import { textOfReport } from '../../cli/audit/report.ts';
import { checkpointLine } from '../../daemon/audit/checkpoint.ts';
import { segmentFileName, stubFileName } from '../../daemon/audit/segments.ts';
import { giveUp, newFolder, writeSegments } from '../audit/fixtures.ts';

describe('hush audit verify of files', () => {
  test('takes copies and the present files together, stubs that have taken their place included', async (t) => {
    const [folder, copy] = [newFolder(t), newFolder(t)];
    await writeSegments(folder, 4);
    cpSync(folder, copy, { recursive: true });
    assert.deepEqual(await giveUp(folder, { keepBytes: 1 }), [1, 2, 3]);
    const second = join(copy, segmentFileName(2));
    for (const paths of [
      [folder, copy],
      [second, folder, second],
      [copy, join(copy, segmentFileName(1))],
    ]) {
      const { bad, verification } = await verifyFiles(paths, []);
      assert.equal(bad, undefined, `${paths.join(' ')}: ${bad?.why ?? ''}`);
      assert.equal(verification.firstSeq, 1);
    }
    assert.equal((await verifyFiles([folder, copy], [])).verification.stubbed, undefined);
    // What was copied while it was still written to.
    const text = readFileSync(join(copy, segmentFileName(4)), 'latin1');
    writeFileSync(join(copy, segmentFileName(4)), text.slice(0, text.indexOf('\n') + 20));
    assert.equal((await verifyFiles([copy, folder], [])).bad, undefined);
  });

  test('A5: holds a copy against the stub that has taken its place', async (t) => {
    const [folder, copy, other] = [newFolder(t), newFolder(t), newFolder(t)];
    await writeSegments(folder, 3);
    cpSync(folder, copy, { recursive: true });
    await giveUp(folder, { keepBytes: 1 });
    await writeSegments(other, 3);
    copyFileSync(join(other, segmentFileName(2)), join(copy, segmentFileName(2)));
    const stubs = join(folder, stubFileName);
    const { bad } = await verifyFiles([join(copy, segmentFileName(2)), stubs], []);
    assert.notEqual(bad, undefined);
    const cut = join(copy, segmentFileName(1));
    const lines = readFileSync(cut, 'latin1').split('\n');
    writeFileSync(cut, lines.slice(0, 2).join('\n') + '\n');
    assert.match((await verifyFiles([cut, stubs], [])).bad?.why ?? '', /are missing$/);
  });

  test('A5: finds no audit in an empty folder, nor in an empty file', async (t) => {
    const folder = newFolder(t);
    const file = join(folder, 'empty');
    for (const path of [folder, file]) {
      writeFileSync(file, '');
      assert.match((await verifyFiles([path], [])).bad?.why ?? '', /there is no record of an audit here/);
    }
  });

  test('names the line of a file that is no checkpoint, and says how many are of other audits', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 1);
    const { verification } = await verifyFiles([folder], []);
    const { head, start = '' } = verification;
    const line = (of: string): string =>
      checkpointLine({ chain: 'daemon', start: of, ...head, time: '2026-01-01T00:00:00.000Z' }, undefined);
    const file = join(folder, 'checkpoints.txt');
    writeFileSync(file, `${line(start)}\n\n${line(start).slice(0, -20)}\n`);
    assert.throws(() => checkpointsIn(file), { code: 'BAD_REQUEST', message: /checkpoints\.txt, line 3: / });
    writeFileSync(file, `${line(start)}\n${line('ab'.repeat(32))}\n`);
    const report = await verifyFiles([join(folder, segmentFileName(1))], checkpointsIn(file));
    assert.deepEqual([report.bad, report.checkpoints], [undefined, { passed: 1, unseen: 0, others: 1 }]);
    assert.match(textOfReport(report).join('\n'), /1 checkpoint passed, 1 of other audits$/m);
  });
});
