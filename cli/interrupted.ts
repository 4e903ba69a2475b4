const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Runs `work`; should a signal end the process meanwhile, `undo` is called first, so that nothing half done stays behind.
 * `undo` is synchronous, and not called otherwise.
 */
export async function undoneIfInterrupted<Result>(
  undo: () => void,
  work: () => Promise<Result>,
): Promise<Result> {
  const leave = (signal: keyof typeof exitCodes): void => {
    try {
      undo();
    } finally {
      process.exit(exitCodes[signal]);
    }
  };
  for (const signal of signals) process.on(signal, leave);
  try {
    return await work();
  } finally {
    for (const signal of signals) process.off(signal, leave);
  }
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
