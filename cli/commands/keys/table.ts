import type { Command } from 'commander';
import { keyringOption } from '../../keyring-option.ts';
import { badUsage } from '../../usage.ts';
import type { ProfileOption } from '../../target.ts';

/** The options of the commands that read a table of handles. */
export interface TableOptions extends ProfileOption {
  readonly stdin?: true;
  readonly keyring?: string;
  readonly keepGoing?: true;
}

/** Puts these options onto a command. */
export const tableOptions = (command: Command): Command =>
  command
    .option('--stdin', 'read the handles from standard input')
    .option('--keyring <name>', 'the keyring of the handles (default)', keyringOption)
    .option('--keep-going', 'write a line that fails as {"error":…,"line":n,…}, and go on');

/** What the help of these commands says of lines. */
export const tableHelp = (verb: string, example: string): string => `
One JSON object a line: {"handle":{"id","kmsKeyId","alg","version","ciphertext"},"namespace","key","tenantId"?}.
What else it holds, such as the id of a row, comes back as it was. Lines come out in the order in which they went in;
the plaintext never leaves the daemon. The first line that fails ends it, with the exit code of its error.

Examples:
  ${example}
  hush keys ${verb} --stdin --keep-going --keyring mail < handles.jsonl > out.jsonl`;

/** Throws BAD_REQUEST without --stdin: nobody types handles. */
export function requireStdin({ stdin }: TableOptions, name: string): void {
  if (stdin) return;
  throw badUsage(`keys ${name} reads handles from standard input, and --stdin says so`, `keys ${name}`);
}
