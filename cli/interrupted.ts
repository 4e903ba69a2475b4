const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `work`; should the process end meanwhile, by a signal or at a prompt, `act` is called first: it takes away what
 * is half done, or says what goes on without this process. `act` is synchronous, and not called otherwise.
 */
export async function ifInterrupted<Result>(act: () => void, work: () => Promise<Result>): Promise<Result> {
  const leave = (signal: keyof typeof exitCodes): never => process.exit(exitCodes[signal]);
  for (const signal of signals) process.on(signal, leave);
  process.on('exit', act);
  try {
    return await work();
  } finally {
    process.off('exit', act);
    for (const signal of signals) process.off(signal, leave);
  }
}
