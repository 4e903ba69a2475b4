import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseHeader } from '../../daemon/keys/header.ts';
import { copiesInHome } from '../../daemon/profiles/copies.ts';
import { makeHome } from '../support/daemon.ts';

test('every folder that may hold keys of a vault besides its profile is told of, whoever left it there', async (t) => {
  const home = makeHome(t);
  await home.init();
  await home.init('other');
  const { profiles } = home.paths;
  const copy = (from: string, to: string): void =>
    cpSync(join(profiles, from), join(profiles, to), { recursive: true });
  const copies = [
    '.deleted-0123456789abcdef',
    '.new-0123456789abcdef',
    '.replaced-default-2025-01-02T03-04-05-678Z-0a1b2c',
    '.replacing-default-2025-01-02T03-04-05-678Z-0a1b2c',
    'default/backups/format-1-2025',
  ];
  // Copied elsewhere first: a folder cannot be copied into itself.
  copy('default', '.aside');
  for (const name of copies) copy('.aside', name);
  copy('other', '.new-00000000000000ff');
  mkdirSync(join(profiles, '.new-00000000000000fe'));
  // Only its key set says whose it is; the next one says nothing, and may be anybody's.
  rmSync(join(profiles, '.new-0123456789abcdef', 'header'));
  copy('.aside', '.deleted-00000000000000ff');
  for (const name of ['header', 'keyset']) rmSync(join(profiles, '.deleted-00000000000000ff', name));

  const place = home.profile();
  const { vaultId } = parseHeader(readFileSync(place.header)).body;
  assert.deepEqual(copiesInHome(home.paths, place, vaultId), ['.deleted-00000000000000ff', ...copies].sort());
});
