import { Argument } from 'commander';
import type { Define } from '../commands.ts';
import { completionScript, shells } from '../completion/scripts.ts';

export const define: Define = (command, { output }) => {
  command
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .addHelpText('after', help)
    // The parser lets nothing else pass than these.
    .action(async (shell: (typeof shells)[number]) => {
      await output.bytes(Buffer.from(await completionScript(shell)));
    });
};

const help = `
Names of secrets are completed from a list that holds no values: see "Completion" in docs/operations.md.

Examples:
  source <(hush completion bash)
  hush completion bash > ~/.local/share/bash-completion/completions/hush
  hush completion zsh > ~/.zsh/completions/_hush
  hush completion fish > ~/.config/fish/completions/hush.fish`;
