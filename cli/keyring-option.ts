import { HushError } from '../protocol/errors.ts';
import { keyring, tenant } from '../protocol/shapes.ts';

/** The value of an option that names a keyring. Throws INVALID_NAME. */
export function keyringOption(text: string): string {
  if (keyring.safeParse(text).success) return text;
  throw new HushError('INVALID_NAME', 'that is not the name of a keyring', {
    hint: 'a keyring is 1-64 of A-Z a-z 0-9 _ -, starting with a letter or digit',
  });
}

/** The value of an option that names a tenant. Throws INVALID_NAME. */
export function tenantOption(text: string): string {
  if (tenant.safeParse(text).success) return text;
  throw new HushError('INVALID_NAME', 'that is not the id of a tenant', {
    hint: 'a tenant is 1 to 128 characters',
  });
}
