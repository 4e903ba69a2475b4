import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** The folders of the daemon, from the innermost out: a file imports from its own folder and from those before it. */
const daemonLayers = [
  ['memory'],
  ['keys'],
  ['stores'],
  ['vault', 'cache', 'audit', 'access', 'config', 'enrolled', 'unlock', 'approvals', 'signing'],
  ['gates'],
  ['operations'],
  ['transport'],
];

/** A rule that refuses imports whose specifier matches one of the patterns. */
const refuse = (...patterns) => ({
  'no-restricted-imports': ['error', { patterns: patterns.map(([regex, message]) => ({ regex, message })) }],
});

const upTo = (folders, message) => [`^(\\.\\./)+(${folders.join('|')})/`, message];

const noInputOutput = [
  '^(node:)?(fs|net|child_process|dgram|http|https|http2|tls|worker_threads)(/|$)',
  'protocol/ does no input or output',
];

const layering = [
  {
    files: ['protocol/**/*.ts'],
    rules: refuse(['^\\.\\./', 'protocol/ imports nothing of ours'], noInputOutput),
  },
  {
    files: ['native/**/*.ts'],
    rules: refuse(upTo(['daemon', 'client', 'cli'], 'native/ stands below both ends')),
  },
  {
    files: ['noise/**/*.ts'],
    rules: refuse(
      upTo(['native', 'daemon', 'client', 'cli'], 'noise/ imports protocol/ and nothing else of ours'),
      [
        '^(node:)?(fs|net|child_process|dgram|http|https|http2|tls|worker_threads)(/|$)',
        'noise/ does no input or output',
      ],
    ),
  },
  {
    files: ['client/**/*.ts'],
    rules: refuse(upTo(['daemon', 'cli'], 'the client knows the daemon by its protocol only')),
  },
  {
    files: ['daemon/**/*.ts'],
    rules: refuse(upTo(['client', 'cli'], 'the daemon knows its clients by the protocol only')),
  },
  ...daemonLayers.flatMap((layer, rank) => {
    const outer = daemonLayers.slice(rank + 1).flat();
    if (outer.length === 0) return [];
    return layer.map((folder) => ({
      files: [`daemon/${folder}/**/*.ts`],
      rules: refuse(
        upTo(['client', 'cli'], 'the daemon knows its clients by the protocol only'),
        upTo(outer, 'a file further in never imports one further out'),
      ),
    }));
  }),
];

export default defineConfig(
  globalIgnores(['dist/', 'node_modules/']),
  {
    files: ['**/*.{js,cjs,ts}'],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // An empty environment variable counts as unset.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Objects are made by functions that close over their state, so that their methods need no `this`.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    files: ['{daemon,client,protocol,native,noise}/**/*.ts'],
    // The one place from which the daemon speaks to a terminal, before there is a log.
    ignores: ['daemon/failure.ts'],
    rules: { 'no-console': 'error' },
  },
  ...layering,
  // Read by Nodes that are too old, up to the line that says so.
  { files: ['bin/*.js'], rules: { 'no-var': 'off' } },
  { files: ['**/*.d.ts'], rules: { '@typescript-eslint/no-unused-vars': 'off' } },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['describe', 'it', 'suite', 'test'], package: 'node:test' },
          ],
        },
      ],
    },
  },
);
