import { readFileSync } from 'node:fs';

/** What is passed on. */
const passed = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
  'SIGCONT',
] as const;

/** What a terminal sends to every process of the group in its foreground by itself. */
const ofTerminal: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGQUIT', 'SIGWINCH', 'SIGTSTP']);

/**
 * Has `came` called for each signal that comes, and `pass` for those that the child should get from us; gives how to end
 * that. What a terminal has sent to the child already is not sent twice: a second Ctrl-C means something else to many
 * programs. At SIGTSTP we stop too, so that the shell sees its job stopped.
 */
export function passSignals(
  pass: (signal: NodeJS.Signals) => void,
  came: (signal: NodeJS.Signals) => void,
): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    came(signal);
    if (!ofTerminal.has(signal) || !inForeground()) pass(signal);
  };
  const onStop = (): void => {
    onSignal('SIGTSTP');
    // As it goes without a handler: the kernel stops nobody whom no shell can continue, the first of a container for one.
    process.off('SIGTSTP', onStop);
    process.kill(process.pid, 'SIGTSTP');
    process.on('SIGTSTP', onStop);
  };
  for (const signal of passed) process.on(signal, onSignal);
  process.on('SIGTSTP', onStop);
  return () => {
    for (const signal of passed) process.off(signal, onSignal);
    process.off('SIGTSTP', onStop);
  };
}

/** Whether our process group is the one in the foreground of our terminal: fields 5 and 8 of proc_pid_stat(5). */
function inForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group !== undefined && group === foreground;
}
