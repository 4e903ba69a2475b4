import { Option } from 'commander';
import { parseSecretPath } from '../../protocol/names.ts';
import type { Define } from '../commands.ts';
import { fileOption } from '../credentials.ts';
import { countText } from '../format.ts';
import type { Harvest, Naming } from '../import/candidates.ts';
import type { PasswordStore } from '../import/from-password-store.ts';
import type { Output } from '../output.ts';
import { createStatusLine } from '../status-line.ts';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

interface ImportOptions extends ProfileOption {
  readonly from?: PasswordStore | 'env';
  readonly scope?: string;
  readonly prefix?: string;
  readonly all?: true;
  readonly whole?: true;
  readonly dryRun?: true;
  readonly overwrite?: true;
  readonly legacy?: string;
  readonly keyFile?: string;
  readonly check?: true;
}

const examples = `
A value is called what it is called where it comes from, behind --scope and --prefix: DB_PASSWORD of a .env file is
global/DB_PASSWORD; the steps to a value of JSON, YAML, TOML or INI, and the folders of a password store, have dots
between: global/db.password, global/servers.0.token, global/email.work. Of an entry of pass or gopass the first line is
taken, with --whole all of it.

Everything is looked at first: where one value cannot be stored, none is, and all problems are told. What is there with
the same value is left as it is, so that an import that was cut off can be run again. References are left out.

With --legacy FILE has one JSON object a line: {"path":"global/db","keyVersion":null,"nonce":BASE64,"ciphertext":BASE64,
"createdAt"?}, AES-256-GCM straight under a 32-byte master key without associated data, the ciphertext followed by its
tag ("iv" for "nonce" is understood too). The key is that of --key-file, else of HUSH_LEGACY_KEY: 64 hex digits or
base64. The values are readable at once, and hush keys rotate seals them anew under a data key.

Examples:
  hush import .env --dry-run
  hush import settings.yaml --scope ws:42 --prefix app.
  hush import --from env STRIPE_KEY DB_PASSWORD
  hush import --from pass servers/
  hush import --legacy old.jsonl --key-file old.key`;

export const define: Define = (command, { output }) => {
  command
    .argument('[file-or-names...]', 'the file; with --from variables or entries')
    .addOption(new Option('--from <source>', 'where else the values are').choices(['pass', 'gopass', 'env']))
    .option('--dry-run', 'show what is new, changed and unchanged, and store nothing')
    .option('--overwrite', 'give secrets that are there with another value a new version')
    .option('--scope <scope>', 'the scope of the secrets: global, ws:ID or pr:ID (global)', scopeOption)
    .option('--prefix <text>', 'what their names begin with')
    .option('--all', 'with --from env: all variables but those of the session')
    .option('--whole', 'with --from pass or gopass: whole entries, not their first lines')
    .addOption(
      new Option('--legacy <file>', 'values that were sealed straight under a master key, as JSON lines')
        .argParser(fileOption('--legacy', 'import'))
        .conflicts(['from', 'scope', 'prefix', 'all', 'whole']),
    )
    .option(
      '--key-file <file>',
      'with --legacy: the master key that sealed them (else HUSH_LEGACY_KEY)',
      fileOption('--key-file', 'import'),
    )
    .addOption(new Option('--check', 'as --dry-run').hideHelp())
    .addHelpText('after', examples)
    .action(async (words: readonly string[], options: ImportOptions) => {
      const profile = profileOf(options, process.env);
      const { legacy, overwrite, check = options.dryRun, keyFile } = options;
      refuseMisplaced(options);
      if (legacy !== undefined) {
        if (words.length > 0) throw badUsage('--legacy names all that is imported', 'import');
        const { importLegacy } = await import('../import/legacy.ts');
        const given = {
          ...(overwrite && { overwrite }),
          ...(check && { check }),
          ...(keyFile !== undefined && { keyFile }),
        };
        await importLegacy(legacy, profile, given, output);
        return;
      }
      const naming = { scope: options.scope ?? 'global', prefix: options.prefix ?? '' };
      const harvest = await harvestOf(words, options, naming, output);
      const { importValues } = await import('../import/import-values.ts');
      await importValues(harvest, naming, profile, { overwrite, dryRun: check }, output);
    });
};

/** Throws BAD_REQUEST for an option that would do nothing where it stands. */
function refuseMisplaced({ from, all, whole, legacy, keyFile }: ImportOptions): void {
  if (keyFile !== undefined && legacy === undefined)
    throw badUsage('--key-file goes with --legacy', 'import');
  if (all && from !== 'env') throw badUsage('--all goes with --from env', 'import');
  if (whole && from !== 'pass' && from !== 'gopass') {
    throw badUsage('--whole goes with --from pass or gopass', 'import');
  }
}

function scopeOption(scope: string): string {
  return parseSecretPath(`${scope}/name`).scope;
}

/** The values of the place that the command line names. */
async function harvestOf(
  words: readonly string[],
  { from, all, whole }: ImportOptions,
  naming: Naming,
  output: Output,
): Promise<Harvest> {
  if (from === undefined) {
    const [file] = words;
    if (file === undefined || words.length > 1) {
      throw badUsage('say what is to be imported: one FILE, or --from pass, gopass or env', 'import');
    }
    const { harvestFile } = await import('../import/from-file.ts');
    return harvestFile(file);
  }
  if (from === 'env') {
    if ((all === true) === words.length > 0)
      throw badUsage('say which variables: their names, or --all', 'import');
    const { harvestEnvironment } = await import('../import/from-environment.ts');
    return harvestEnvironment(words, all === true);
  }
  const { harvestPasswordStore } = await import('../import/from-password-store.ts');
  const status = createStatusLine(!output.json);
  const onEntry = (done: number, total: number): void =>
    status.show(() => `${done} of ${total} entries read`);
  const request = { program: from, names: words, whole: whole === true, naming, onEntry };
  const harvest = await harvestPasswordStore(request).finally(status.clear);
  if (harvest.shortened > 0) {
    const count = countText(harvest.shortened, 'entry', 'entries');
    await output.note(`of ${count} only the first line is taken; --whole takes them all`);
  }
  return harvest;
}
