/**
 * A wall clock for ends that were set as a date, which no change of the system's clock puts off: milliseconds since
 * 1970, never less than what has passed since the latest time that was ever read.
 */
export type WallClock = () => number;

/**
 * A clock over the system's (`wall`, milliseconds since 1970) and a monotonic one (milliseconds). Where the system's
 * jumps back it goes on from the latest time seen; where it jumps forward it follows, and stays there.
 */
export function createWallClock(
  wall: () => number = Date.now,
  monotonic: () => number = () => performance.now(),
): WallClock {
  let latest = wall();
  let at = monotonic();
  return () => {
    const now = monotonic();
    latest = Math.max(wall(), latest + (now - at));
    at = now;
    return latest;
  };
}
