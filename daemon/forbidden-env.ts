/**
 * Variables by which the environment makes the loader, the C library, Node or OpenSSL load code, write files or
 * trace. They are taken out of the daemon's own environment. A `*` at the end stands for any rest.
 */
export const loaderVariables = [
  'LD_*',
  'DYLD_*',
  'NODE_*',
  'BASH_FUNC_*',
  'MALLOC_*',
  'GLIBC_TUNABLES',
  'GCONV_PATH',
  'GETCONF_DIR',
  'LOCPATH',
  'NLSPATH',
  'NIS_PATH',
  'HOSTALIASES',
  'LOCALDOMAIN',
  'RES_OPTIONS',
  'RESOLV_HOST_CONF',
  'OPENSSL_*',
  'SSLKEYLOGFILE',
  'SQLITE_TMPDIR',
] as const;

/**
 * Variables that decide which program a name means, or what an interpreter runs before its script. The daemon may
 * have them; a value of someone else's must never become one of them.
 */
export const commandVariables = [
  'PATH',
  'HOME',
  'SHELL',
  'TMPDIR',
  'IFS',
  'ENV',
  'BASH_*',
  'BASHOPTS',
  'SHELLOPTS',
  'PS4',
  'PROMPT_COMMAND',
  'CDPATH',
  'ZDOTDIR',
  'FPATH',
  'PYTHON*',
  'PERL5*',
  'PERLLIB',
  'PERL_*',
  'RUBY*',
  'GEM_*',
  'BUNDLE_*',
  'LUA_*',
  'PHPRC',
  'PHP_INI_SCAN_DIR',
  'JAVA_TOOL_OPTIONS',
  'JDK_JAVA_OPTIONS',
  '_JAVA_OPTIONS',
  'CLASSPATH',
  'DOTNET_*',
  'CORECLR_*',
  'COR_*',
  'npm_config_*',
  'NPM_CONFIG_*',
  'GIT_*',
  'EDITOR',
  'VISUAL',
  'PAGER',
  'LESSOPEN',
  'LESSCLOSE',
  'MANPAGER',
  'BROWSER',
  'TERMINFO',
  'TERMINFO_DIRS',
  'HUSH_*',
  'HUSHD_*',
  'LISTEN_*',
  'NOTIFY_SOCKET',
  'CREDENTIALS_DIRECTORY',
] as const;

/** Whether the variable makes the loader, the C library, Node or OpenSSL behave otherwise. */
export const isLoaderVariable = (name: string): boolean => isListed(name, loaderVariables);

/** Whether a variable of a child must never get its value from a secret. */
export const isForbiddenVariable = (name: string): boolean =>
  isLoaderVariable(name) || isListed(name, commandVariables);

const isListed = (name: string, list: readonly string[]): boolean =>
  list.some((entry) => (entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry));
