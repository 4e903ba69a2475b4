/** Which parts of a fixed range are free. */
export interface FreeList {
  /** The start of `size` places in a row that are now taken, or undefined when no hole is that large. */
  take(size: number): number | undefined;
  /** Gives back what `take` handed out; neighbouring holes become one. */
  give(offset: number, size: number): void;
}

/** A run of free places: where it starts, and how long it is. */
interface Hole {
  readonly offset: number;
  readonly size: number;
}

/** A free list of the range 0 to `size`. First fit: the arena holds some hundreds of keys, of a few sizes. */
export function createFreeList(size: number): FreeList {
  /** In ascending order, with something taken between each two. */
  const holes: Hole[] = [{ offset: 0, size }];

  return {
    take(wanted) {
      const index = holes.findIndex((hole) => hole.size >= wanted);
      const hole = holes[index];
      if (hole === undefined) return undefined;
      if (hole.size === wanted) holes.splice(index, 1);
      else holes[index] = { offset: hole.offset + wanted, size: hole.size - wanted };
      return hole.offset;
    },
    give(offset, length) {
      const index = firstAfter(holes, offset);
      const before = holes[index - 1];
      const after = holes[index];
      const joined = before && before.offset + before.size === offset ? before : undefined;
      const joining = after?.offset === offset + length ? after : undefined;
      const hole = {
        offset: joined?.offset ?? offset,
        size: (joined?.size ?? 0) + length + (joining?.size ?? 0),
      };
      if (joined === undefined && joining === undefined) holes.splice(index, 0, hole);
      else if (joined === undefined) holes[index] = hole;
      else {
        holes[index - 1] = hole;
        if (joining !== undefined) holes.splice(index, 1);
      }
    },
  };
}

/** The index of the first hole that starts after `offset`. */
function firstAfter(holes: readonly Hole[], offset: number): number {
  let low = 0;
  let high = holes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((holes[middle]?.offset ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
