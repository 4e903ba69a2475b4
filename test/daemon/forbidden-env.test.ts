import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { isForbiddenVariable, isLoaderVariable } from '../../daemon/forbidden-env.ts';

describe('variables', () => {
  test('A17: those that make the loader, Node or OpenSSL behave otherwise are known', () => {
    const names = ['LD_PRELOAD', 'LD_AUDIT', 'NODE_OPTIONS', 'NODE_PATH', 'BASH_FUNC_x%%', 'GCONV_PATH'];
    for (const name of [...names, 'MALLOC_TRACE', 'GLIBC_TUNABLES', 'OPENSSL_CONF', 'SSLKEYLOGFILE']) {
      assert.ok(isLoaderVariable(name), name);
      assert.ok(isForbiddenVariable(name), name);
    }
  });

  test('A17: those that decide what a command runs are closed to secrets, but not taken from the daemon', () => {
    for (const name of [
      'PATH',
      'BASH_ENV',
      'ENV',
      'IFS',
      'PYTHONSTARTUP',
      'PERL5OPT',
      'GIT_SSH_COMMAND',
      'HUSH_HOME',
    ]) {
      assert.equal(isLoaderVariable(name), false, name);
      assert.ok(isForbiddenVariable(name), name);
    }
  });

  test('ordinary ones are free', () => {
    for (const name of [
      'DATABASE_URL',
      'LDX',
      'NODE',
      'NODE_ENV',
      'HTTPS_PROXY',
      'API_KEY',
      'MY_LD_PRELOAD',
      'PATHS',
      'ENVIRONMENT',
    ]) {
      assert.equal(isForbiddenVariable(name), false, name);
    }
  });
});
