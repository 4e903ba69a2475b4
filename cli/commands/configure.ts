import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import type { Define } from '../commands.ts';
import type { Leaf } from '../configure/document.ts';
import { inFile, readerOf, textOfFile } from '../configure/documents.ts';
import { requireMovable, withReference } from '../configure/edit.ts';
import { backUp, readForEdit, writeBeside, type EditedFile } from '../configure/edited-file.ts';
import { formatOf } from '../configure/formats.ts';
import { leafNamed } from '../configure/key.ts';
import { isReference } from '../configure/reference.ts';
import { keepFor } from '../configure/keep.ts';
import { withDaemon } from '../daemon.ts';
import { ifInterrupted } from '../interrupted.ts';
import { utf8Of } from '../passphrase.ts';
import { profileOf, targetOf, type ProfileOption, type Target } from '../target.ts';
import { badUsage } from '../usage.ts';

interface ConfigureOptions extends ProfileOption {
  readonly as?: string;
  readonly backup?: true;
  readonly force?: true;
}

const examples = `
KEY is a path such as db.password or servers[0].token, a step with dots in quotes: hosts."a.example".key. In a .env file
it is the variable, in an INI file SECTION.KEY. FILE is TOML, YAML, JSON, .env, INI or Java properties, by its name.

The value goes into the vault, and hush://PROFILE/SCOPE/NAME stands in its place; nothing else in the file changes. When
either half fails, the other is undone.

Examples:
  hush configure config.toml db.password
  hush configure .env STRIPE_KEY --as ws:42/stripe-key --backup`;

export const define: Define = (command, { output }) => {
  command
    .argument('<file>', 'the config file')
    .argument('<key>', 'the value in it that is to be moved')
    .option('--as <path>', 'SCOPE/NAME of the secret (else global/KEY)')
    .option('--backup', 'keep the file as it was in FILE.bak, of mode 0600')
    .option('--force', 'give the secret a new version where it has another value')
    .addHelpText('after', examples)
    .action(async (path: string, key: string, options: ConfigureOptions) => {
      const format = formatOf(path);
      if (format === undefined) {
        throw badUsage(`${path} has no name of TOML, YAML, JSON, .env, INI or properties`, 'configure');
      }
      const read = await readerOf(format);
      const file = readForEdit(path);
      try {
        const text = textOfFile(path, file.bytes);
        const leaf = leafNamed(inFile(path, () => read(text)).leaves, key);
        requireMovable(leaf, key);
        if (isReference(leaf.text)) {
          await output.facts({ file: path, key, reference: leaf.text, already: true }, [
            `${key} is a reference already: ${leaf.text}`,
          ]);
          return;
        }
        const target = targetFor(leaf, key, options);
        const reference = `hush://${target.profile}/${target.path}`;
        const edited = utf8Of(inFile(path, () => withReference(text, leaf, reference, read)));
        const kept = await moveValue(file, edited, leaf, target, options);
        const backup = options.backup ? { backup: `${path}.bak` } : {};
        const facts = { ...target, file: path, key, reference, ...kept, already: false, ...backup };
        await output.facts(facts, [`${key} is ${reference} now`]);
        if (leaf.kind === 'number') await output.note('it was a number, and a reference is text');
        if (options.backup)
          await output.note(`${path}.bak holds the value in the clear: remove it in the end`);
        await output.note('older copies of the file hold the value still: change it where it comes from');
      } finally {
        file.bytes.fill(0);
      }
    });
};

/** The secret that is to hold the value. Throws INVALID_NAME. */
function targetFor(leaf: Leaf, key: string, options: ConfigureOptions): Target {
  if (options.as !== undefined) return targetOf(options.as, options, process.env);
  const name = leaf.path.join('.');
  try {
    return { profile: profileOf(options, process.env), path: parseSecretPath(`global/${name}`).text };
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    throw new HushError('INVALID_NAME', `${key} makes no name of a secret`, {
      hint: 'name the secret: --as global/NAME',
    });
  }
}

/** Puts the value into the vault and the new content into the file: both, or neither. */
async function moveValue(
  file: EditedFile,
  edited: Uint8Array,
  leaf: Leaf,
  target: Target,
  { backup, force }: ConfigureOptions,
): Promise<{ readonly version: number; readonly created: boolean }> {
  const value = utf8Of(leaf.text);
  const halves: { discard(): void }[] = [];
  const discard = (): void => {
    for (const half of halves) half.discard();
  };
  try {
    const content = writeBeside(file, edited);
    halves.push(content);
    const copy = backup ? backUp(file) : undefined;
    if (copy !== undefined) halves.push(copy);
    return await ifInterrupted(discard, () =>
      withDaemon(async (daemon) => {
        const kept = await keepFor(daemon, target, value, force === true);
        try {
          copy?.keep();
          content.take();
        } catch (error) {
          const told = await kept.takeBack(error);
          copy?.remove();
          throw told;
        }
        return { version: kept.version, created: kept.created };
      }),
    );
  } finally {
    for (const bytes of [value, edited]) bytes.fill(0);
    discard();
  }
}
