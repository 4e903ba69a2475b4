import { once } from 'node:events';
import { cryptoProviderFromEnv, HushError } from '../../../client/index.ts';

// Run as a process of its own: says that it is ready, and once its standard input ends asks the environment for a
// provider, and tells what came of it as one line of JSON.
process.stdout.write('ready\n');
process.stdin.resume();
await once(process.stdin, 'end');
const options = JSON.parse(process.argv[2] ?? '{}') as Parameters<typeof cryptoProviderFromEnv>[0];
const asked = cryptoProviderFromEnv(options).then(
  (provider) => {
    const facts = 'kmsKeyId' in provider ? { kmsKeyId: provider.kmsKeyId } : { vaultId: provider.vaultId };
    provider.close();
    return facts;
  },
  (error: unknown) => {
    if (!(error instanceof HushError)) throw error;
    const { code, name, message, hint } = error;
    return { code, name, message, hint };
  },
);
process.stdout.write(`${JSON.stringify(await asked)}\n`);
