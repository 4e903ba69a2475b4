import type { Credential } from '../keys/slot.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';

/**
 * Runs `use` with copies of the credentials in the arena, made before it returns, and wipes them when `use` has ended:
 * what came with a request is gone once its turn of the event loop is over.
 */
export async function withCopies<Result>(
  arena: SecureArena,
  credentials: readonly Credential[],
  use: (copies: readonly Credential[]) => Promise<Result>,
): Promise<Result> {
  const places: SecureBytes[] = [];
  try {
    const copies = credentials.map(({ kind, secret }) => {
      const place = arena.allocate(secret.byteLength);
      places.push(place);
      place.bytes.set(secret);
      return { kind, secret: place.bytes };
    });
    return await use(copies);
  } finally {
    for (const place of places) place.wipe();
  }
}
