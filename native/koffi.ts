import { createRequire } from 'node:module';
import type Koffi from 'koffi';

const require = createRequire(import.meta.url);

/**
 * The library for native calls. Its own loader takes 20 ms to find out which of its addons is the right one, which is
 * most of the time of a short command: here the usual one is loaded at once, and it is asked where that fails.
 */
export const koffi = loaded();

function loaded(): typeof Koffi {
  const { arch } = process;
  try {
    // What koffi exports is this addon itself.
    return require(`@koromix/koffi-linux-${arch}/linux_${arch}/koffi.node`) as typeof Koffi;
  } catch {
    // Another C library, or a package manager that puts the addon where only koffi finds it.
    return (require('koffi') as { readonly default: typeof Koffi }).default;
  }
}
