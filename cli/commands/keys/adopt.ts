import type { Command } from 'commander';
import { keyFromEnvironment, keyFromFile } from '../../../client/local/key-source.ts';
import { HushError } from '../../../protocol/errors.ts';
import type { Session } from '../../commands.ts';
import { fileOption } from '../../credentials.ts';
import { withDaemon } from '../../daemon.ts';
import { countText } from '../../format.ts';
import { renewHandles } from '../../handle-stream.ts';
import { inputLines } from '../../input-lines.ts';
import { profileOf } from '../../target.ts';
import { requireStdin, tableHelp, tableOptions, type TableOptions } from './table.ts';

interface AdoptOptions extends TableOptions {
  readonly keyFile?: string;
}

/** `hush keys adopt`: handles that were sealed without the daemon become the daemon's. */
export function defineAdopt(keys: Command, { output }: Session): void {
  tableOptions(
    keys.command('adopt').description("turn handles of the local provider into the daemon's, as JSON lines"),
  )
    .option(
      '--key-file <file>',
      'the key that sealed them: 32 bytes in hex or base64 (else OS_SECRET_KEY)',
      fileOption('--key-file', 'keys adopt'),
    )
    .addHelpText(
      'after',
      tableHelp('adopt', 'hush keys adopt --stdin --key-file old.key < handles.jsonl > adopted.jsonl'),
    )
    .action(async (options: AdoptOptions) => {
      requireStdin(options, 'adopt');
      const profile = profileOf(options, process.env);
      const { keyring = 'default', keepGoing = false } = options;
      const oldKey = oldKeyOf(options, process.env);
      try {
        const done = await withDaemon((daemon) =>
          renewHandles({
            lines: inputLines(),
            daemon,
            ask: ({ handle, namespace, key, tenant }) => ({
              op: 'crypto.adopt',
              params: {
                ...{ profile, keyring, namespace, key, handle, oldKey },
                ...(tenant === undefined ? {} : { tenant }),
              },
            }),
            keepGoing,
            verb: 'adopted',
            output,
            onTerminal: process.stdout.isTTY,
          }),
        );
        await output.note(`${countText(done, 'handle')} adopted`);
      } finally {
        oldKey.fill(0);
      }
    });
}

/** The key that sealed the handles; the caller wipes it. */
function oldKeyOf({ keyFile }: AdoptOptions, env: NodeJS.ProcessEnv): Uint8Array<ArrayBuffer> {
  const key = keyFile === undefined ? keyFromEnvironment(env) : keyFromFile(keyFile);
  if (key !== undefined) return key;
  throw new HushError('BAD_REQUEST', 'the key that sealed the handles is missing', {
    hint: 'hush keys adopt --stdin --key-file FILE, or set OS_SECRET_KEY',
  });
}
