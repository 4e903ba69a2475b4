/*
 * Makes of each short program one file, so that it starts fast: `node tools/bundle.ts [DIST]`, after tsc has filled
 * DIST. What a program imports on demand stays in the files that tsc has made, except what its short ways need.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const dist = resolve(process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url)));
const bundles = join(dist, 'bundles');

const nothing = /(?!)/;

/** The programs by the command that starts them, with what they import on demand and yet hold in their one file. */
const programs: Readonly<Record<string, { readonly main: string; readonly holds: RegExp }>> = {
  'age-plugin-hush': { main: 'cli/doors/age/main.js', holds: /\/cli\/doors\/age\/identity-v1\.js$/ },
  'docker-credential-hush': { main: 'cli/doors/docker/main.js', holds: nothing },
  'git-credential-hush': { main: 'cli/doors/git/main.js', holds: nothing },
  hush: { main: 'cli/main.js', holds: /\/(cli\/(commands\/(get|run)|parse)|client\/socket)\.js$/ },
};

/** Leaves what is imported on demand where tsc has put it. */
const onDemand = (holds: RegExp): Plugin => ({
  name: 'on-demand',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
      const file = join(resolveDir, path);
      if (kind !== 'dynamic-import' || holds.test(file)) return undefined;
      return { path: `./${relative(bundles, file)}`, external: true };
    });
  },
});

mkdirSync(bundles, { recursive: true });
for (const [command, { main, holds }] of Object.entries(programs)) {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(dist, main)],
    outfile: join(bundles, `${command}.bundle`),
    write: false,
    metafile: true,
    bundle: true,
    platform: 'node',
    // A module that is required takes Node half the time of one that is imported, and node:fs loads nothing with it.
    format: 'cjs',
    target: 'node22.15',
    minify: true,
    external: ['koffi', 'sodium-native', 'better-sqlite3-multiple-ciphers'],
    define: { 'import.meta.url': 'thisFile' },
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [onDemand(holds)],
    absWorkingDir: dirname(dist),
    nodePaths: [fileURLToPath(new URL('../node_modules', import.meta.url))],
  });
  const [output] = outputFiles;
  const later = Object.values(metafile.outputs).flatMap(({ imports }) =>
    imports.filter(({ kind, external }) => kind === 'dynamic-import' && external === true),
  );
  const text = output?.text.replaceAll(/\bimport\((?=")/g, 'importOnDemand(') ?? '';
  if (text.split('importOnDemand(').length - 1 !== later.length)
    throw new Error(`${command}: imports are left over`);
  writeFileSync(join(bundles, `${command}.bundle`), text);
}
