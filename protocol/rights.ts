/** A right that is had or not had on a profile as a whole; `daemon`, to stop it, is for its owner and operators. */
export type SimpleRight = 'keys' | 'unlock' | 'lock' | 'audit' | 'admin' | 'status' | 'daemon';

/** What an operation needs to be allowed, in the terms that grants speak of. Paths are `<scope>/<name>`. */
export type Right =
  | { readonly kind: 'read' | 'write' | 'delete' | 'list'; readonly path: string }
  /** To have something signed with the key that the secret is; `key` is to learn that key's public half. */
  | { readonly kind: 'sign' | 'key'; readonly path: string }
  /** To ask for the keys that one may sign with; which these are is decided by `key`, name by name. */
  | { readonly kind: 'signing' }
  /** One coordinate of the platform. `''` is what has no tenant; left out, it is the tenant that a handle will tell. */
  | {
      readonly kind: 'crypto';
      readonly keyring: string;
      readonly namespace: string;
      readonly key: string;
      readonly tenant?: string;
    }
  /** Anything at all on a keyring: what handing out its digest key asks for. */
  | { readonly kind: 'keyring'; readonly keyring: string }
  /** To ask for a list at all; what it shows is decided by `list`, name by name. */
  | { readonly kind: 'listing' }
  | { readonly kind: SimpleRight };
