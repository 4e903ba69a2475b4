import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pathsOf, profilePathsOf } from '../../daemon/home/paths.ts';
import { parseProfileName } from '../../protocol/names.ts';

describe('paths of a home', () => {
  test('HUSH_HOME puts everything below one folder', () => {
    const paths = pathsOf({ HUSH_HOME: '/h', HOME: '/home/u', XDG_DATA_HOME: '/x' });
    assert.equal(paths.home, '/h');
    assert.equal(paths.config, '/h/config.toml');
    assert.equal(paths.socket, '/h/hushd.sock');
    assert.equal(paths.lock, '/h/hushd.lock');
    assert.equal(paths.log, '/h/hushd.log');
    assert.equal(paths.clients, '/h/clients');
    assert.equal(paths.noiseKey, '/h/noise-key');
    assert.equal(paths.profiles, '/h/profiles');
    assert.equal(paths.daemonAudit, '/h/audit/daemon');
    assert.deepEqual(paths.ownFolders, [
      '/h',
      '/h/profiles',
      '/h/audit',
      '/h/audit/daemon',
      '/h/audit/profiles',
    ]);
  });

  test('a relative HUSH_HOME is taken from the working directory', () => {
    assert.equal(pathsOf({ HUSH_HOME: 'h' }, '/work').socket, '/work/h/hushd.sock');
  });

  test('without HUSH_HOME the XDG folders are used', () => {
    const paths = pathsOf({
      HOME: '/home/u',
      XDG_CONFIG_HOME: '/c',
      XDG_DATA_HOME: '/d',
      XDG_RUNTIME_DIR: '/r',
    });
    assert.equal(paths.config, '/c/hushd/config.toml');
    assert.equal(paths.home, '/d/hushd');
    assert.equal(paths.socket, '/r/hushd/hushd.sock');
    assert.ok(['/c/hushd', '/d/hushd', '/r/hushd'].every((folder) => paths.ownFolders.includes(folder)));
  });

  test('missing, empty and relative XDG folders fall back to those in HOME', () => {
    const paths = pathsOf({
      HOME: '/home/u',
      XDG_CONFIG_HOME: 'relative',
      XDG_DATA_HOME: '',
      XDG_RUNTIME_DIR: './r',
    });
    assert.equal(paths.config, '/home/u/.config/hushd/config.toml');
    assert.equal(paths.home, '/home/u/.local/share/hushd');
    assert.equal(paths.socket, '/home/u/.local/share/hushd/hushd.sock');
  });

  test('HUSH_SOCKET and HUSH_CONFIG override singly, and their folders are not ours', () => {
    const paths = pathsOf({ HUSH_HOME: '/h', HUSH_SOCKET: '/run/s.sock', HUSH_CONFIG: '/etc/hushd/c.toml' });
    assert.equal(paths.socket, '/run/s.sock');
    assert.equal(paths.config, '/etc/hushd/c.toml');
    assert.equal(paths.home, '/h');
    assert.ok(!paths.ownFolders.includes('/run') && !paths.ownFolders.includes('/etc/hushd'));
  });

  test('without any home folder the environment is refused', () => {
    assert.throws(() => pathsOf({}), { code: 'BAD_REQUEST', hint: /HUSH_HOME/ });
    assert.throws(() => pathsOf({ HOME: 'relative' }), { code: 'BAD_REQUEST' });
  });

  test('a socket path over 107 bytes is refused by name', () => {
    const longest = `/${'s'.repeat(106)}`;
    assert.equal(pathsOf({ HUSH_HOME: '/h', HUSH_SOCKET: longest }).socket, longest);
    assert.throws(() => pathsOf({ HUSH_HOME: '/h', HUSH_SOCKET: `${longest}s` }), {
      code: 'BAD_REQUEST',
      hint: /HUSH_SOCKET/,
    });
  });

  test('a profile has its files in a folder of its own, and its audit beside the others', () => {
    const paths = profilePathsOf(pathsOf({ HUSH_HOME: '/h' }), parseProfileName('p'));
    assert.deepEqual(paths, {
      folder: '/h/profiles/p',
      header: '/h/profiles/p/header',
      keyset: '/h/profiles/p/keyset',
      vault: '/h/profiles/p/vault.db',
      inactive: '/h/profiles/p/inactive',
      backoff: '/h/profiles/p/backoff',
      audit: '/h/audit/profiles/p',
    });
  });
});
