export { connect } from './client.ts';
export type {
  BatchItem,
  BatchOutcome,
  BatchOutcomes,
  CallParams,
  ConnectOptions,
  Credential,
  HushClient,
  ListEntry,
} from './client.ts';
export type { CryptoContext } from './crypto-context.ts';
export { createCryptoProvider } from './crypto-provider.ts';
export type {
  CryptoHandle,
  CryptoProviderOptions,
  HushCryptoProvider,
  ICryptoProvider,
} from './crypto-provider.ts';
export { HushError } from '../protocol/errors.ts';
export type { ErrorCode } from '../protocol/errors.ts';
