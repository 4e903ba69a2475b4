/** How many requests leave enough behind that collecting it is worth a pause. */
const worthwhile = 50_000;

/**
 * Gives memory back after a burst of requests: called at regular times with the number of requests served since the
 * start, it calls `collect` once when no new one has come since the call before and at least 50,000 have come since the
 * last collection. Under load V8 lets 20 MB pile up that it would otherwise keep for as long as the daemon lives.
 */
export function createIdleCollector(collect: () => void): (served: number) => void {
  let collectedAt = 0;
  let before = 0;
  return (served) => {
    const isIdle = served === before;
    before = served;
    if (!isIdle || served - collectedAt < worthwhile) return;
    collectedAt = served;
    collect();
  };
}
