import { readFileSync } from 'node:fs';

/** The release of this package, from its package.json, which is one folder up in a checkout and two in `dist`. */
export function readRelease(): string {
  for (const up of ['../package.json', '../../package.json']) {
    const text = readIfThere(new URL(up, import.meta.url));
    if (text === undefined) continue;
    const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
    if (name === 'hushd' && typeof version === 'string') return version;
  }
  return 'unknown';
}

function readIfThere(url: URL): string | undefined {
  try {
    return readFileSync(url, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
