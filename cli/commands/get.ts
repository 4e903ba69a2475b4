import { isUtf8 } from 'node:buffer';
import { whenApproved } from '../../client/approval.ts';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { sizeText } from '../format.ts';
import { targetOf, type ProfileOption } from '../target.ts';

interface GetOptions extends ProfileOption {
  readonly reveal?: true;
  readonly wait?: true;
}

export const define: Define = (command, { output }) => {
  command
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .option('--reveal', 'print the value: exactly its bytes, and nothing else')
    .option('--wait', 'where somebody else must approve it, wait until they have decided')
    .addHelpText('after', '\nExamples:\n  hush get global/db\n  hush get global/db --reveal | psql …')
    .action(async (path: string, options: GetOptions) => {
      const target = targetOf(path, options, process.env);
      const { value, ...facts } = await withDaemon((daemon) => {
        const ask = () => daemon.call('secret.get', target);
        return options.wait
          ? whenApproved(ask, {
              waitMs: Infinity,
              onWaiting: ({ hint }) => void output.note(`waiting: ${hint}`),
            })
          : ask();
      });
      try {
        if (options.reveal && !output.json) return await output.bytes(value);
        const size = value.byteLength;
        const lines = [
          `${target.path}: ${sizeText(size)}, version ${facts.version}, updated ${facts.updatedAt}`,
        ];
        await output.facts(
          { ...target, ...facts, size, ...(options.reveal ? valueFields(value) : {}) },
          lines,
        );
        if (!options.reveal) await output.note('the value is not shown without --reveal');
      } finally {
        value.fill(0);
      }
    });
};

/** A value as JSON carries it: text where it is valid UTF-8, base64 where it is not. */
export function valueFields(value: Uint8Array): { value: string } | { valueBase64: string } {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return isUtf8(bytes) ? { value: bytes.toString('utf8') } : { valueBase64: bytes.toString('base64') };
}
