// The package declares these two by `from '.'`, which TypeScript does not find from an ES module.
declare module 'msgpackr/pack' {
  export { Packr } from 'msgpackr';
}
declare module 'msgpackr/unpack' {
  export { Unpackr } from 'msgpackr';
}
