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

/** The format of a file by its name: `.env.local` is one of environment too. Undefined for any other name. */
export function formatOf(path: string): Format | undefined {
  const name = basename(path).toLowerCase();
  if (Object.hasOwn(byName, name)) return byName[name];
  if (name === '.env' || name.startsWith('.env.')) return 'env';
  const ending = name.slice(name.lastIndexOf('.') + 1);
  return name.includes('.') && Object.hasOwn(byEnding, ending) ? byEnding[ending] : undefined;
}
