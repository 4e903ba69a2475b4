/** Runs all the steps in their order, also those after one that throws; then throws what the first of these threw. */
export function runAll(steps: readonly (() => void)[]): void {
  const problems: unknown[] = [];
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length > 0) throw problems[0];
}
