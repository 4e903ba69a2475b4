/* Writes the completion scripts of contrib/completions/ anew, as the commands and their options are now. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { completionScript, shells } from '../cli/completion/scripts.ts';

const folder = new URL('../contrib/completions/', import.meta.url);
const names = { bash: 'hush.bash', zsh: '_hush', fish: 'hush.fish' } as const;

mkdirSync(folder, { recursive: true });
for (const shell of shells) writeFileSync(new URL(names[shell], folder), await completionScript(shell));
