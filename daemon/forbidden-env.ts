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
 * Variables that decide which program a name means, what an interpreter, compiler or tool runs, loads or trusts besides
 * what it was told to, or which a shell sets itself. The daemon may have them; a value of someone else's must never
 * become one of them.
 */
export const commandVariables = [
  // What everything starts from: programs, homes, configuration and who one is.
  ...wordsOf(`
    PATH HOME SHELL TMPDIR TMP TEMP TMPPREFIX USER LOGNAME PWD OLDPWD XDG_* TERM TERMCAP
    TERMINFO TERMINFO_DIRS INPUTRC MAILPATH DBUS_*`),
  // Shells: what they read at their start, run at a prompt, or set themselves.
  ...wordsOf(`
    IFS ENV BASH BASH_* BASHOPTS BASHPID SHELLOPTS POSIXLY_CORRECT CDPATH FPATH PS0 PS1 PS2 PS3
    PS4 PROMPT_COMMAND ZDOTDIR ZSH* FISH_* UID EUID PPID GROUPS DIRSTACK FUNCNAME FUNCNEST
    LINENO RANDOM SRANDOM SECONDS EPOCHSECONDS EPOCHREALTIME PIPESTATUS COPROC OPTIND OPTARG
    OPTERR SHLVL _ COMP_LINE COMP_POINT COMP_KEY COMP_TYPE COMP_CWORD COMP_WORDS COMP_WORDBREAKS
    HISTFILE HISTCMD HISTCONTROL HISTIGNORE HISTSIZE HISTFILESIZE HISTTIMEFORMAT FCEDIT
    GLOBIGNORE FIGNORE EXECIGNORE TIMEFORMAT MAILCHECK TMOUT`),
  // Languages: where they find modules, and what they run before the program.
  ...wordsOf(`
    PYTHON* PERL5* PERLLIB PERL_* RUBY* GEM_* BUNDLE_* LUA_* PHPRC PHP_INI_SCAN_DIR
    JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS JDK_JAVAC_OPTIONS _JAVA_OPTIONS JAVA_OPTS JAVA_HOME
    CLASSPATH MAVEN_OPTS MAVEN_ARGS GRADLE_OPTS SBT_OPTS SCALA_HOME KOTLIN_HOME CLJ_CONFIG
    CLJ_JVM_OPTS DOTNET_* CORECLR_* COR_* COMPLUS_* MONO_* MSBUILD* NUGET_* PSMODULEPATH GOPATH
    GOROOT GOFLAGS GOENV GOBIN GOPROXY GOTOOLDIR GOTOOLCHAIN GODEBUG GOCACHE CARGO_* RUSTC
    RUSTC_* RUSTDOC RUSTFLAGS RUSTUP_* DENO_* BUN_INSTALL* BUN_CONFIG* BUN_OPTIONS BUN_INSPECT*
    TS_NODE_* R_HOME R_LIBS* R_PROFILE* R_ENVIRON* R_DEFAULT_PACKAGES JULIA_* ERL_* ERTS_*
    ELIXIR_* MIX_HOME MIX_PATH MIX_EXS MIX_ARCHIVES MIX_BUILD_* MIX_DEPS_* HEX_HOME HEX_MIRROR*
    GHCRTS GHC_* OCAML* CAML* TCLLIBPATH TCL_LIBRARY TK_LIBRARY GUILE_* EMACSLOADPATH EMACSDATA
    AWKPATH AWKLIBPATH`),
  // Packages and builds.
  ...wordsOf(`
    NPM_CONFIG_* YARN_* PNPM_HOME COREPACK_* PIP_* UV_* PIPX_* POETRY_* CONDA_* VIRTUAL_ENV
    COMPOSER_* MAKEFLAGS MAKEFILES MFLAGS GNUMAKEFLAGS CC CXX CPP LD AR AS CPATH C_INCLUDE_PATH
    CPLUS_INCLUDE_PATH LIBRARY_PATH COMPILER_PATH GCC_EXEC_PREFIX CFLAGS LDFLAGS CXXFLAGS
    CPPFLAGS PKG_CONFIG* CMAKE_* CCACHE_*`),
  // Tools that run a program which a variable names, or find one by it.
  ...wordsOf(`
    GIT_* SSH_ASKPASS SSH_ASKPASS_REQUIRE SSH_AUTH_SOCK SUDO_ASKPASS SUDO_EDITOR SUDO_PROMPT
    RSYNC_RSH RSYNC_CONNECT_PROG CVS_RSH SVN_SSH HGRCPATH HGEDITOR EDITOR VISUAL PAGER MANPAGER
    MANPATH BROWSER LESS LESSOPEN LESSCLOSE LESSKEY* VIM VIMINIT VIMRUNTIME EXINIT NVIM_* PSQLRC
    PSQL_EDITOR TAR_OPTIONS GREP_OPTIONS CURL_HOME WGETRC AWS_CONFIG_FILE KUBECONFIG KUBE_EDITOR
    AWS_SHARED_CREDENTIALS_FILE DOCKER_CONFIG CLOUDSDK_* ANSIBLE_* KRB5* GNUPGHOME GDK_* GTK_*
    GIO_* GST_PLUGIN_* QT_* WINEPREFIX LIBGL_* MESA_* GALLIUM_* OCL_ICD_VENDORS VK_LAYER_PATH
    VK_ADD_* VK_ICD_FILENAMES VK_DRIVER_FILES VK_INSTANCE_LAYERS`),
  // Whom programs trust. Proxies are free: their addresses hold passwords, and what passes them is sealed by TLS.
  ...wordsOf(`
    SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE AWS_CA_BUNDLE`),
  // hushd's own, and those of the service manager.
  ...wordsOf(`
    HUSH_* HUSHD_* LISTEN_* NOTIFY_SOCKET CREDENTIALS_DIRECTORY WATCHDOG_PID WATCHDOG_USEC`),
];

/** Those that a `*` of the lists above covers, and that neither load nor run anything. */
export const harmlessVariables = wordsOf(`
  NODE_ENV NODE_AUTH_TOKEN NODE_CONFIG NODE_CONFIG_ENV GEM_HOST_API_KEY CARGO_REGISTRY_TOKEN
  DENO_AUTH_TOKENS DENO_DEPLOY_TOKEN POETRY_PYPI_TOKEN_* POETRY_HTTP_BASIC_* COMPOSER_AUTH
  UV_PUBLISH_TOKEN YARN_NPM_AUTH_TOKEN ANSIBLE_VAULT_PASSWORD CLOUDSDK_AUTH_ACCESS_TOKEN
  NUGET_API_KEY GIT_TOKEN GIT_PASSWORD GIT_USERNAME DOTNET_ENVIRONMENT`);

/** Whether the variable makes the loader, the C library, Node or OpenSSL behave otherwise. */
export const isLoaderVariable: (name: string) => boolean = listed(loaderVariables);

const isCommandVariable = listed(commandVariables);
const isHarmless = listed(harmlessVariables);

/**
 * Whether a variable of a child must never get its value from a secret, in upper or lower case: some programs read both,
 * and nobody needs a `path` of his own.
 */
export function isForbiddenVariable(name: string): boolean {
  const upper = name.toUpperCase();
  return (isLoaderVariable(upper) || isCommandVariable(upper)) && !isHarmless(upper);
}

/** Whether a name stands in a list, by itself or by a `*`; the list is long, and asked for many names. */
function listed(list: readonly string[]): (name: string) => boolean {
  const names = new Set(list.filter((entry) => !entry.endsWith('*')));
  const starts = new Set(list.filter((entry) => entry.endsWith('*')).map((entry) => entry.slice(0, -1)));
  const longest = Math.max(0, ...Array.from(starts, ({ length }) => length));
  return (name) => {
    if (names.has(name)) return true;
    for (let end = Math.min(longest, name.length); end > 0; end -= 1)
      if (starts.has(name.slice(0, end))) return true;
    return false;
  };
}

function wordsOf(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
