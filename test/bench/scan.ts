import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { plainFigure, type Figure } from './figures.ts';

const run = promisify(execFile);

const megabytes = 50;
const fileBytes = 512 * 1024;

/** Text that looks random, and is the same in each bench. */
const digest = (seed: string): string => createHash('sha256').update(seed).digest('base64url');

/** One service of a config, in each format; every eighth has a password in plain text. */
const services: Readonly<Record<string, (index: number) => string>> = {
  toml: (index) =>
    `[service.s${index}]\nname = "service number ${index}" # a comment\nurl = "https://s${index}.example/path"\nport = ${8000 + index}\ntags = ["one", "two", "three"]\nchecksum = "${digest(`t${index}`)}"\n${secretOf(index, 'password = "', '"')}\n\n`,
  yaml: (index) =>
    `s${index}:\n  name: service number ${index} # a comment\n  url: https://s${index}.example/path\n  port: ${8000 + index}\n  tags:\n    - one\n    - two\n  checksum: ${digest(`y${index}`)}\n  ${secretOf(index, 'password: ', '')}\n`,
  json: (index) =>
    `  "s${index}": {\n    "name": "service number ${index}",\n    "url": "https://s${index}.example/path",\n    "port": ${8000 + index},\n    "tags": ["one", "two"],\n    "checksum": "${digest(`j${index}`)}",\n    ${secretOf(index, '"password": "', '"')}\n  },\n`,
  env: (index) =>
    `# service number ${index}\nexport S${index}_NAME='service number ${index}'\nS${index}_URL=https://s${index}.example/path\nS${index}_PORT=${8000 + index}\n${secretOf(index, `S${index}_PASSWORD=`, '')}\n`,
  ini: (index) =>
    `[s${index}]\nname = service number ${index}\n; a comment\nurl = https://s${index}.example/path\nport = ${8000 + index}\n${secretOf(index, 'password = ', '')}\n\n`,
};

const secretOf = (index: number, before: string, after: string): string =>
  index % 8 === 0 ? `${before}pw-${index}-hunter${after}` : `${before}$\{PASSWORD_${index}}${after}`;

async function writeTree(folder: string): Promise<void> {
  await mkdir(folder);
  const files = (megabytes * 1_000_000) / fileBytes;
  const formats = Object.entries(services);
  for (let number = 0; number < files; number += 1) {
    const [ending, service] = formats[number % formats.length] ?? ['', () => ''];
    let text = ending === 'json' ? '{\n' : '';
    for (let index = 0; text.length < fileBytes; index += 1) text += service(index);
    await writeFile(join(folder, `${number}.${ending}`), ending === 'json' ? `${text}  "end": 0\n}\n` : text);
  }
}

/** How fast `hush scan` goes through config files, its start included. */
export async function scanFigures(installed: string, folder: string, rounds: number): Promise<Figure[]> {
  const tree = join(folder, 'scanned');
  await writeTree(tree);
  const rates: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    const { stdout } = await run(process.execPath, [join(installed, 'bin/hush.js'), 'scan', tree, '--json'], {
      maxBuffer: 256 * 1024 * 1024,
    });
    const seconds = (performance.now() - startedAt) / 1000;
    // The shape that docs/operations.md gives.
    const { bytes } = JSON.parse(stdout) as { bytes: number };
    rates.push(bytes / 1_000_000 / seconds);
  }
  return [plainFigure(`\`hush scan\` of ${megabytes} MB of config files`, 'MB/s', rates, { least: 20 })];
}
