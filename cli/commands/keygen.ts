import { randomFillSync } from 'node:crypto';
import { newBytes } from '../../protocol/bytes.ts';
import { base64Line, hexLine, masterKeyBytes } from '../../protocol/master-key-text.ts';
import type { Define } from '../commands.ts';

interface KeygenOptions {
  readonly hex?: true;
}

export const define: Define = (command, { output }) => {
  command
    .option('--hex', 'as 64 hex digits instead of base64')
    .addHelpText('after', examples)
    .action(async ({ hex }: KeygenOptions) => {
      const key = randomFillSync(newBytes(masterKeyBytes));
      const text = hex ? hexLine(key) : base64Line(key);
      try {
        if (!output.json) return await output.bytes(text);
        // JSON is a string, which nothing can wipe; the process does not live long.
        const line = new TextDecoder().decode(text).trimEnd();
        await output.facts({ key: line, encoding: hex ? 'hex' : 'base64' }, []);
      } finally {
        key.fill(0);
        text.fill(0);
      }
    });
};

const examples = `
It is kept nowhere: keep it yourself, for what it seals cannot be opened without it. It needs no daemon.

Examples:
  hush keygen
  (umask 077; hush keygen --hex > work.key)`;
