// What a platform's process does with the package, and all that it knows of it: its public exports. It is told over
// the channel of its parent what to do, and answers with the result, or with the error and what kind of error it is.
import { HushError, createCryptoProvider } from 'hushd';
import * as protocol from 'hushd/protocol';

let provider;

const work = {
  async start(options) {
    provider = await createCryptoProvider(options);
    provider.on('disconnect', () => process.send({ event: 'disconnect' }));
    provider.on('reconnect', () => process.send({ event: 'reconnect' }));
    return { vaultId: provider.vaultId, operations: Object.keys(protocol.operations) };
  },
  encrypt: (plain, context) => provider.encrypt(plain, context),
  decrypt: (handle, context) => provider.decrypt(handle, context),
  rotateKey: (handle, context) => provider.rotateKey(handle, context),
  digest: (plain) => provider.digest(plain),
};

process.on('message', async ({ id, name, args }) => {
  const startedAt = performance.now();
  try {
    const ok = await work[name](...args);
    process.send({ id, ok });
  } catch (error) {
    const { code, message, hint } = error;
    const tookMs = performance.now() - startedAt;
    process.send({ id, error: { typed: error instanceof HushError, code, message, hint, tookMs } });
  }
});
