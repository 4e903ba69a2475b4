import { openLoad, type Load, type Request } from '../load.ts';
import { startFloor, type Floor, type FloorStyle } from './start.ts';

/** Tries before it is said that no constant makes replies of this size. */
const tries = 4;

/**
 * Starts a floor whose replies are as long as hushd's to the same requests, to the byte; `socketPath` is how the path
 * of its socket begins. Throws if there is no such constant.
 */
export async function startMatchingFloor(
  socketPath: string,
  hushd: Load,
  requests: readonly Request[],
  style: FloorStyle,
): Promise<Floor> {
  const [request] = requests;
  if (request === undefined) throw new Error('there is no request');
  const wanted = await hushd.replyLength(request);
  let bytes = wanted;
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const floor = await startFloor(`${socketPath}-${attempt}`, bytes, style);
    const load = await openLoad(floor.socketPath);
    const length = await load.replyLength(request);
    load.close();
    if (length === wanted) return floor;
    await floor.stop();
    bytes += wanted - length;
  }
  throw new Error(`no constant makes replies of ${wanted} bytes`);
}
