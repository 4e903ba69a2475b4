import { HushError } from '../../protocol/errors.ts';
import { protocolVersions } from '../../protocol/frames.ts';
import type { Limits } from '../../protocol/index.ts';
import { operations } from '../../protocol/operations.ts';

/** What hello tells everybody. */
export interface HelloFacts {
  readonly versions: readonly number[];
  readonly daemon: string;
  readonly limits: Limits;
}

/**
 * The answer to hello, and whether either end asks for field encryption. `wantsFields`: whether the daemon does. Throws
 * BAD_REQUEST, and UNSUPPORTED_VERSION where the two have none in common.
 */
export function answerHello(
  given: unknown,
  facts: HelloFacts,
  wantsFields: boolean,
): { readonly ok: object; readonly sealsFields: boolean } {
  const params = operations.hello.params.safeParse(given);
  if (!params.success) throw new HushError('BAD_REQUEST', 'hello needs the versions that the client speaks');
  const { versions: offered, fieldEncryption = false } = params.data;
  const version = protocolVersions.find((known) => offered.includes(known));
  if (version === undefined) {
    throw new HushError(
      'UNSUPPORTED_VERSION',
      `the client speaks versions ${offered.join(', ')}, this daemon speaks ${protocolVersions.join(', ')}`,
    );
  }
  return {
    ok: { version, ...facts, fieldEncryption: wantsFields },
    sealsFields: wantsFields || fieldEncryption,
  };
}
