import type { Command } from 'commander';
import type { Session } from '../../commands.ts';
import { withDaemon } from '../../daemon.ts';
import { countText } from '../../format.ts';
import { renewHandles } from '../../handle-stream.ts';
import { inputLines } from '../../input-lines.ts';
import { profileOf } from '../../target.ts';
import { requireStdin, tableHelp, tableOptions, type TableOptions } from './table.ts';

/** `hush keys rewrap`: a table of handles under the newest key. */
export function defineRewrap(keys: Command, { output }: Session): void {
  tableOptions(keys.command('rewrap').description('seal handles anew under the newest key, as JSON lines'))
    .addHelpText('after', tableHelp('rewrap', 'hush keys rewrap --stdin < handles.jsonl > rewrapped.jsonl'))
    .action(async (options: TableOptions) => {
      requireStdin(options, 'rewrap');
      const profile = profileOf(options, process.env);
      const { keyring = 'default', keepGoing = false } = options;
      const done = await withDaemon((daemon) =>
        renewHandles({
          lines: inputLines(),
          daemon,
          ask: ({ handle, namespace, key, tenant }) => ({
            op: 'crypto.rotate',
            params: { profile, keyring, namespace, key, ...(tenant === undefined ? {} : { tenant }), handle },
          }),
          keepGoing,
          verb: 'rewrapped',
          output,
          onTerminal: process.stdout.isTTY,
        }),
      );
      await output.note(`${countText(done, 'handle')} rewrapped`);
    });
}
