import { isatty } from 'node:tty';
import { joinBytes } from '../../protocol/bytes.ts';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { reportProblems } from '../environment/problems.ts';
import { fillTemplate, readTemplate } from '../environment/template.ts';
import type { ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

interface InjectOptions extends ProfileOption {
  readonly input: string;
  readonly output: string;
  readonly reveal?: true;
}

export const define: Define = (command, { output, finish }) => {
  command
    .requiredOption('-i, --input <template>', 'the file with references; - for standard input')
    .requiredOption('-o, --output <file>', 'the file to write, of mode 0600; - for standard output')
    .option('--reveal', 'show values at a terminal')
    .addHelpText('after', examples)
    .action(async (options: InjectOptions) => {
      if (options.output === '-' && !options.reveal && isatty(1))
        throw badUsage('values are not shown at a terminal without --reveal', 'inject');
      const template = await readTemplate(options.input);
      const filled = await withDaemon((daemon) => fillTemplate(daemon, template, options));
      try {
        if (filled.problems.length > 0) {
          finish(reportProblems(filled.problems, 'nothing was written', output.json));
          return;
        }
        const whole = joinBytes(filled.parts);
        try {
          if (options.output === '-') return await output.bytes(whole);
          const { writeValueFile } = await import('../value-file.ts');
          const file = await writeValueFile(options.output, whole);
          await output.facts({ file, references: filled.references }, [`${file} is written`]);
        } finally {
          whole.fill(0);
        }
      } finally {
        filled.wipe();
      }
    });
};

const examples = `
A reference is hush://PROFILE/SCOPE/NAME, or in braces: {{ hush://PROFILE/SCOPE/NAME }}. All other bytes stay.

Examples:
  hush inject -i config.yaml.tpl -o config.yaml
  echo 'password={{ hush://default/global/db }}' | hush inject -i - -o db.conf`;
