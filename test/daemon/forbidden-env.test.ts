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

  test('A17: those of the tools and languages that run, load or write what a variable says are closed too', () => {
    const names = `GOCACHEPROG GOAUTH RUSTDOCFLAGS PERLIO_DEBUG PYTEST_ADDOPTS RAKEOPT JAVACMD GRADLE_USER_HOME HADOOP_CLASSPATH
      DART_VM_OPTIONS NIX_PATH CONFIG_SITE APT_CONFIG RIPGREP_CONFIG_PATH FZF_DEFAULT_COMMAND AWS_PAGER KUBECTL_EXTERNAL_DIFF
      HELM_PLUGINS TF_CLI_ARGS SYSTEMD_PAGER SSH_SK_PROVIDER PASSWORD_STORE_EXTENSIONS_DIR RESTIC_PASSWORD_COMMAND
      BORG_PASSCOMMAND ZIPOPT MAILCAPS TEXTDOMAINDIR NULLCMD ODBCINSTINI SASL_PATH OMP_TOOL_LIBRARIES MAGICK_CONFIGURE_PATH
      shell_escape npm_execpath ESBUILD_BINARY_PATH PRISMA_QUERY_ENGINE_LIBRARY BC_ENV_ARGS COB_PRE_LOAD ASAN_OPTIONS
      GVIMINIT TERRAFORM_CONFIG DOCKER_CLI_PLUGIN_EXTRA_DIRS QML2_IMPORT_PATH LV2_PATH PKCS11_PROVIDER_MODULE OPENSC_CONF
      NAPI_RS_NATIVE_LIBRARY_PATH TURBO_BINARY_PATH CYPRESS_RUN_BINARY CHROME_BIN PRE_COMMIT_HOME RPROMPT CVSROOT`;
    for (const name of names.split(/\s+/)) assert.ok(isForbiddenVariable(name), name);
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
      'RESTIC_PASSWORD',
      'BORG_PASSPHRASE',
      'RELEASE_COOKIE',
      'TF_VAR_key',
      'CYPRESS_RECORD_KEY',
      'PLAYWRIGHT_SERVICE_ACCESS_TOKEN',
      'GOOGLE_API_KEY',
      'HELM_KUBETOKEN',
      'HOMEBREW_GITHUB_API_TOKEN',
      'GH_TOKEN',
      'VAULT_TOKEN',
      'USERNAME',
    ]) {
      assert.equal(isForbiddenVariable(name), false, name);
    }
  });
});
