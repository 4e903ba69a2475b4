/** Which unit asks for which credential. */
export interface Wanted {
  readonly unit: string;
  readonly credential: string;
}

const pattern = /^\0[0-9a-f]{1,16}\/unit\/([A-Za-z0-9:_.@\\-]{1,255})\/([!-.0-9;-~]{1,255})$/;

/**
 * What stands in the abstract address that systemd binds before it connects for `LoadCredential=` (systemd.exec(5)):
 * NUL, a random number in hex, `/unit/`, the unit, `/`, the credential. Undefined for any other address. Whoever
 * connects chooses it: see `checkAsker`.
 */
export function parseAddress(address: Uint8Array): Wanted | undefined {
  const [, unit, credential] = pattern.exec(String.fromCharCode(...address)) ?? [];
  return unit === undefined || credential === undefined ? undefined : { unit, credential };
}
