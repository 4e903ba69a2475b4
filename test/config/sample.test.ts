import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseConfig } from '../../daemon/config/parse.ts';

const sample = readFileSync(new URL('../../contrib/config.toml', import.meta.url), 'utf8');
/** Keys without a default in the config itself: what they say is what happens when they are not given. */
const measured = /^# (frame_bytes|write_backlog_bytes|memory_mib|passes|socket_group) = /;

test('the sample config as it is changes nothing', () => {
  assert.deepEqual(parseConfig(sample), parseConfig(''));
});

test('each default that the sample config names is the default', () => {
  const [settings = ''] = sample.split('# Who else may do what.');
  const lines = settings
    .split('\n')
    .map((line) => (measured.test(line) ? '' : line.replace(/^# (?=\w+ = )/, '')));
  assert.deepEqual(parseConfig(lines.join('\n')), parseConfig(''));
  assert.equal(parseConfig('').limits.frameBytes, 1_572_864);
  assert.equal(parseConfig('').limits.writeBacklogBytes, 4_194_304);
});

test('the clients and grants of the sample config are such', () => {
  const [, rules = ''] = sample.split('but the slash.\n');
  const config = parseConfig(rules.replaceAll(/^# ?/gm, ''));
  const [shop] = config.clients;
  assert.deepEqual(
    [shop?.name, shop?.uid, shop?.exe, shop?.unit],
    ['shop', 1001, '/usr/bin/node', 'shop.service'],
  );
  assert.ok(config.profiles['default']?.grants['shop']?.read.matches('global/db-main'));
});
