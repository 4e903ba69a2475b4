/*
 * Makes of each program one file, so that it starts fast: `node tools/bundle.ts [DIST]`, after tsc has filled DIST. What
 * programs import on demand, except what their short ways need, is in one file for all of them.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Plugin } from 'esbuild';

const dist = resolve(process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url)));
const bundles = join(dist, 'bundles');

const nothing = /(?!)/;
const everything = /^/;

/** The programs by the command that starts them, with what they import on demand and yet hold in their one file. */
const programs: Readonly<Record<string, { readonly main: string; readonly holds: RegExp }>> = {
  'age-plugin-hush': { main: 'cli/doors/age/main.js', holds: /\/cli\/doors\/age\/identity-v1\.js$/ },
  'docker-credential-hush': { main: 'cli/doors/docker/main.js', holds: nothing },
  'git-credential-hush': { main: 'cli/doors/git/main.js', holds: nothing },
  hush: { main: 'cli/main.js', holds: /\/(cli\/(commands\/(get|run)|parse)|client\/socket)\.js$/ },
  hushd: { main: 'daemon/main.js', holds: everything },
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

/** Lets each file find what lies beside it, as if it ran from where it is. */
const ownUrl: Plugin = {
  name: 'own-url',
  setup({ onLoad }) {
    onLoad({ filter: /\/(cli|client|daemon|native|noise|protocol)\/.*\.js$/ }, ({ path }) => {
      const url = `new URL(${JSON.stringify(relative(bundles, path))}, thisFile).href`;
      return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', url) };
    });
  },
};

/** What each build is made with. */
const common = {
  write: false,
  metafile: true,
  bundle: true,
  platform: 'node',
  target: 'node22.15',
  external: ['koffi', 'sodium-native', 'better-sqlite3-multiple-ciphers'],
  legalComments: 'none',
  logLevel: 'warning',
  absWorkingDir: dirname(dist),
  nodePaths: [fileURLToPath(new URL('../node_modules', import.meta.url))],
} satisfies BuildOptions;

mkdirSync(bundles, { recursive: true });
const wanted = new Set<string>();
for (const [command, { main, holds }] of Object.entries(programs)) {
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: [join(dist, main)],
    outfile: join(bundles, `${command}.bundle`),
    // A module that is required takes Node half the time of one that is imported, and node:fs loads nothing with it.
    format: 'cjs',
    // The daemon's log shows where a fault was.
    minify: command !== 'hushd',
    plugins: [onDemand(holds), ownUrl],
  });
  const [output] = outputFiles;
  const later = Object.values(metafile.outputs).flatMap(({ imports }) =>
    imports.filter(({ kind, external }) => kind === 'dynamic-import' && external === true),
  );
  for (const { path } of later) wanted.add(path);
  const text = output?.text.replaceAll(/\bimport\((?=")/g, 'importOnDemand(') ?? '';
  if (text.split('importOnDemand(').length - 1 !== later.length)
    throw new Error(`${command}: imports are left over`);
  writeBundle(command, text);
}

const [onDemandOutput] = (
  await build({
    ...common,
    stdin: {
      contents: `module.exports = {\n${[...wanted]
        .map((path) => `${JSON.stringify(path)}: () => import(${JSON.stringify(join(bundles, path))}),\n`)
        .join('')}};`,
      resolveDir: bundles,
    },
    outfile: join(bundles, 'on-demand.bundle'),
    format: 'iife',
    globalName: 'modules',
    minify: true,
    plugins: [ownUrl],
  })
).outputFiles;
writeBundle('on-demand', `${onDemandOutput?.text ?? ''}\nreturn modules;`);

/**
 * As the function that bin/compile-cache.js calls: to put it around the text at each start would take a copy of all. At the
 * end is what tells it from every other, whatever its length and the time of the file are.
 */
function writeBundle(name: string, text: string): void {
  const whole = `(function (require, thisFile, importOnDemand) {${text}\n})`;
  const stamp = createHash('sha256').update(whole).digest('hex').slice(0, 32);
  writeFileSync(join(bundles, `${name}.bundle`), `${whole}\n//${stamp}`);
}
