import { randomFillSync } from 'node:crypto';
import { newBytes } from '../../daemon/memory/plain-bytes.ts';
import { masterKeyBytes } from '../../protocol/master-key-text.ts';
import type { Define } from '../commands.ts';

interface KeygenOptions {
  readonly hex?: true;
}

export const define: Define = (command, { output }) => {
  command
    .option('--hex', 'as 64 hex digits instead of base64')
    .addHelpText('after', examples)
    .action(async ({ hex }: KeygenOptions) => {
      const key = newBytes(masterKeyBytes);
      try {
        randomFillSync(key);
        const encoding = hex ? 'hex' : 'base64';
        // It is printed as a string, which nothing can wipe; the process does not live long.
        const text = Buffer.from(key.buffer).toString(encoding);
        await output.facts({ key: text, encoding }, [text]);
      } finally {
        key.fill(0);
      }
    });
};

const examples = `
It is kept nowhere: keep it yourself, for what it seals cannot be opened without it. It needs no daemon.

Examples:
  hush keygen
  (umask 077; hush keygen --hex > work.key)`;
