import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { commandTree, type CommandSpec } from './tree.ts';
import { zshScript } from './zsh.ts';

/** The shells that can be told how to complete `hush`. */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const makers: Readonly<Record<Shell, (tree: readonly CommandSpec[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The script that completes `hush` in a shell, as all its commands and options are now. */
export async function completionScript(shell: Shell): Promise<string> {
  return makers[shell](await commandTree());
}
