import { basename } from 'node:path';

/** A format of config files that is understood. */
export type Format = 'toml' | 'yaml' | 'json' | 'env' | 'ini' | 'properties';

const byEnding: Readonly<Record<string, Format>> = {
  toml: 'toml',
  yaml: 'yaml',
  yml: 'yaml',
  json: 'json',
  jsonc: 'json',
  json5: 'json',
  env: 'env',
  envrc: 'env',
  ini: 'ini',
  cfg: 'ini',
  cnf: 'ini',
  conf: 'ini',
  properties: 'properties',
};

const byName: Readonly<Record<string, Format>> = {
  '.npmrc': 'ini',
  '.pypirc': 'ini',
  '.gitconfig': 'ini',
  '.my.cnf': 'ini',
};

/** What stands behind the name of a file in that of its copy: an editor's, an old one, one of `hush configure`. */
const copyEnding = /(?:\.(?:bak|old|orig|save|[0-9a-f]{12})|~)+$/;

/** The format of a file by its name, or that of the file that it is a copy of: `.env.local`, `app.toml.bak`. */
export function formatOf(path: string): Format | undefined {
  const name = basename(path).toLowerCase().replace(copyEnding, '');
  if (Object.hasOwn(byName, name)) return byName[name];
  if (name === '.env' || name.startsWith('.env.')) return 'env';
  const ending = name.slice(name.lastIndexOf('.') + 1);
  return name.includes('.') && Object.hasOwn(byEnding, ending) ? byEnding[ending] : undefined;
}
