export { connect } from './client.ts';
export type {
  ApprovalOptions,
  BatchItem,
  BatchOutcome,
  BatchOutcomes,
  CallParams,
  ConnectOptions,
  Credential,
  GetOptions,
  HushClient,
  ListEntry,
  ListOptions,
  SetOptions,
  SlotList,
} from './client.ts';
export type { CryptoContext } from './crypto-context.ts';
export type { CryptoHandle, ICryptoProvider } from './crypto-handle.ts';
export { createCryptoProvider } from './crypto-provider.ts';
export type { CryptoProviderOptions, HushCryptoProvider } from './crypto-provider.ts';
export { cryptoProviderFromEnv } from './environment-provider.ts';
export type { EnvironmentProviderOptions } from './environment-provider.ts';
export { NoStableKeyError } from './local/no-stable-key.ts';
export { LocalCryptoProvider } from './local/provider.ts';
export type { LocalProviderOptions } from './local/provider.ts';
export { HushError } from '../protocol/errors.ts';
export type { ErrorCode } from '../protocol/errors.ts';
