import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { operations, type OperationName, type ParamsOf } from '../../protocol/operations.ts';
import { passphraseCredential, startUnlocked } from '../support/daemon.ts';
import { eventually, utf8 } from './facts.ts';
import { otherProgram, wireAs } from './peers.ts';
import { codeOf, greet, greetedWire, openWire, type Wire } from './wire.ts';

const profile = 'default';
const path = 'global/a';
const credentials = [passphraseCredential('wrong')];
const id = '0'.repeat(16);
const place = { profile, keyring: 'default', namespace: 'n', key: 'k' };
const handle = {
  id: 'sec_0',
  kmsKeyId: 'hush:0:default:v1',
  alg: 'aes-256-gcm',
  version: 1,
  ciphertext: 'AAAA',
};
const key = utf8('k'.repeat(32));

/** Operations that begin a connection or hold others; they are looked at by themselves. */
type Asked = Exclude<OperationName, 'hello' | 'handshake' | 'batch'>;

/** One call of each operation, as good as any; those that lock or destroy something come last. */
const calls: { readonly [Name in Asked]: ParamsOf<Name> } = {
  status: {},
  'slot.list': { profile },
  'slot.add': { profile, credentials, added: passphraseCredential('new') },
  'slot.change': { profile, credentials, replacement: passphraseCredential('new') },
  'slot.remove': { profile, slot: id },
  'slot.rename': { profile, slot: id, label: 'x' },
  'slot.group': { profile, credentials, slots: [id, id.replace('0', '1')] },
  'slot.ungroup': { profile, credentials, group: id },
  'secret.set': { profile, path, value: utf8('value') },
  'secret.get': { profile, path },
  'secret.list': { profile },
  'secret.paths': { profile },
  'secret.history': { profile, path },
  'secret.restore': { profile, path, version: 9 },
  'secret.copy': { profile, from: path, to: 'global/copy' },
  'secret.rename': { profile, from: 'global/copy', to: 'global/other' },
  'secret.purge': { profile, path: 'global/other' },
  'secret.delete': { profile, path },
  'ssh.list': { profile },
  'ssh.public': { profile, path },
  'ssh.sign': { profile, path, data: utf8('x') },
  'ssh.generate': { profile, path: 'global/ssh.x', type: 'ed25519' },
  'secret.importLegacy': { profile, key, rows: [{ path, nonce: utf8('x'), ciphertext: utf8('x') }] },
  'crypto.encrypt': { ...place, plaintext: utf8('x') },
  'crypto.decrypt': { ...place, handle },
  'crypto.rotate': { ...place, handle },
  'crypto.adopt': { ...place, handle, oldKey: key },
  'crypto.digestKey': { profile, keyring: 'default' },
  'keys.rotate': { profile },
  'keys.status': { profile },
  'keys.resealing': { profile },
  'keys.retire': { profile, version: 900 },
  'keys.shred': { profile, tenant: 'nobody' },
  'keys.reopen': { profile, tenant: 'nobody' },
  'keys.rotateVault': { profile },
  'keys.vaultRotation': { profile },
  'backup.begin': { profile },
  'backup.read': { profile, id: '0'.repeat(32), offset: 0 },
  'backup.end': { profile, id: '0'.repeat(32), kept: false },
  'client.list': {},
  'client.add': { name: 'robot', publicKey: key },
  'client.remove': { name: 'nobody' },
  'approval.list': { profile },
  'approval.decide': { profile, id, approve: true },
  'grant.add': { profile, client: 'app', right: 'read', pattern: 'global/x', seconds: 60 },
  'grant.list': { profile },
  'grant.remove': { profile, client: 'app' },
  'audit.segments': { profile },
  'audit.read': { profile, segment: 1, offset: 0 },
  'audit.verify': { profile },
  'audit.checkpoint': { profile },
  unlock: { profile, credentials },
  lock: { profile },
  'lock.all': {},
  'profile.deactivate': { profile },
  'profile.activate': { profile },
  'profile.delete': { profile: 'nobody' },
  'daemon.stop': {},
};

test('every outcome of every operation is on record once, with who asked and what came of it', async (t) => {
  const exe = otherProgram(t);
  const grants = `[clients.app]\nexe = '${exe}'\n[profiles.default.grants.app]\nread = ['global/b']\n`;
  const { daemon, home } = await startUnlocked(t, `${grants}[unlock]\nrate = 1000\nburst = 1000\n`);
  const owner = await greetedWire(t, daemon.socket);
  const app = await greet(await wireAs(t, daemon.socket, { exe }));
  const chains = { daemon: home.paths.daemonAudit, profile: home.profile().audit };
  const recordsOf = (chain: keyof typeof chains): Record<string, unknown>[] =>
    readFileSync(join(chains[chain], '0000000001.jsonl'), 'latin1')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  const askOnRecord = async (wire: Wire, name: OperationName, params: object): Promise<void> => {
    const chain = 'profile' in params && params.profile === profile ? 'profile' : 'daemon';
    const before = recordsOf(chain).length;
    const code = codeOf(await wire.ask(name, params));
    const made = recordsOf(chain)
      .slice(before)
      .filter(({ event, client }) => event === name && client !== 'daemon');
    assert.equal(made.length, 1, `${name} by ${wire === app ? 'app' : 'owner'}: ${code}`);
    const [record = {}] = made;
    assert.equal(record['client'], wire === app ? 'app' : 'owner', name);
    assert.equal(record['code'], code === 'ok' ? undefined : code, name);
    assert.equal(record['outcome'] === 'ok', code === 'ok', name);
    if ('profile' in params) assert.equal(record['profile'], params.profile, name);
    for (const field of ['seq', 'mono', 'uid', 'gid', 'pid'])
      assert.equal(typeof record[field], 'number', field);
    for (const field of ['time', 'exe', 'prev', 'hash']) assert.equal(typeof record[field], 'string', field);
  };

  // By who has no right to it, then by the owner: those that change the state come last in both.
  for (const [name, params] of Object.entries(calls)) {
    // The keys of the object are the names, by its type.
    await askOnRecord(app, name as Asked, params);
  }
  for (const [name, params] of Object.entries(calls)) {
    await askOnRecord(owner, name as Asked, params);
  }
  assert.equal(await daemon.ended(), 0);
  const told = recordsOf('daemon').map(({ event }) => event);
  assert.deepEqual([told[1], told.at(-1)], ['daemon.start', 'daemon.stop']);
  assert.ok(told.filter((event) => event === 'hello').length >= 3);
  const events = new Set(Object.keys(operations));
  assert.deepEqual([...events].filter((name) => !(name in calls)).sort(), ['batch', 'handshake', 'hello']);
});

test('no more than 1,000 records come between two seals, however fast they are made', async (t) => {
  const { daemon, home } = await startUnlocked(t);
  const owner = await greetedWire(t, daemon.socket);
  const items = Array.from({ length: 1_000 }, () => ({ op: 'secret.get', params: { profile, path } }));
  await Promise.all(Array.from({ length: 6 }, () => owner.ask('batch', { items })));
  const seals = readFileSync(join(home.profile().audit, '0000000001.jsonl'), 'latin1')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { seq: number; event: string })
    .filter(({ event }) => event === 'audit.seal')
    .map(({ seq }) => seq);
  assert.ok(seals.length >= 6);
  for (const [index, seq] of seals.entries()) assert.ok(seq - (seals[index - 1] ?? 1) <= 1_001, `${seq}`);
});

test('what no operation asked for is on record too: a lock by a signal, a reload, a greeting, a stop', async (t) => {
  const { daemon, home } = await startUnlocked(t);
  const events = (folder: string): unknown[][] =>
    readFileSync(join(folder, '0000000001.jsonl'), 'latin1')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .map(({ event, outcome, code, client }) => [event, outcome, code, client]);
  const has = (folder: string, wanted: readonly unknown[]): boolean =>
    events(folder).some((found) => wanted.every((value, index) => found[index] === value));
  const { daemonAudit } = home.paths;
  const { audit } = home.profile();

  daemon.signal('SIGHUP');
  await eventually('a reload', () => has(daemonAudit, ['config.reload', 'ok']));
  home.configure('nonsense = 1\n');
  daemon.signal('SIGHUP');
  await eventually('a reload in vain', () =>
    has(daemonAudit, ['config.reload', 'failed', 'BAD_REQUEST', 'daemon']),
  );
  daemon.signal('SIGUSR2');
  await eventually('a lock', () => has(audit, ['lock', 'ok', undefined, 'daemon']));
  const wire = await openWire(t, daemon.socket);
  const greetings = events(daemonAudit).filter(([event]) => event === 'hello').length;
  await wire.ask('hello', { versions: [1] });
  assert.equal(events(daemonAudit).filter(([event]) => event === 'hello').length, greetings + 1);
  const other = await openWire(t, daemon.socket);
  await other.ask('hello', { versions: [999] }).catch(() => undefined);
  await eventually('a greeting in vain', () =>
    has(daemonAudit, ['request', 'failed', 'UNSUPPORTED_VERSION']),
  );
  assert.equal(await daemon.stop(), 0);
  assert.ok(has(daemonAudit, ['daemon.stop', 'ok', undefined, 'daemon']));
});
