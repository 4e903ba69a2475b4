export { HushError, errorOf, errorTable, isErrorCode, reportOf } from './errors.ts';
export type { ErrorCode, ErrorDetails, ErrorReport } from './errors.ts';
export {
  createFrameEncoder,
  createFrameReader,
  decodeMessage,
  prefixBytes,
  protocolVersion,
  protocolVersions,
} from './frames.ts';
export type { FrameEncoder, FrameReader, OnFrame } from './frames.ts';
export { defaultProfile, isProfileName, parseProfileName, parseReference, parseSecretPath } from './names.ts';
export type { ProfileName, SecretPath, SecretReference } from './names.ts';
export { gateOrder, operationNamed, operations } from './operations.ts';
export type { GateName, OperationName, ParamsOf, ResultOf } from './operations.ts';
export { cryptoHandle } from './shapes.ts';
export type { Limits } from './shapes.ts';
export type { Right, SimpleRight } from './rights.ts';
