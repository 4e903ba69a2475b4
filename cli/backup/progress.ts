import { performance } from 'node:perf_hooks';
import { sizeText } from '../format.ts';
import { createStatusLine } from '../status-line.ts';

/** Tells on a terminal how far a number of bytes is. */
export interface Progress {
  readonly show: (done: number, size: number) => void;
  readonly clear: () => void;
}

/** The progress of what `verb` says, `read` for instance; silent with `--json`. */
export function createProgress(verb: string, { json }: { readonly json: boolean }): Progress {
  const line = createStatusLine(!json);
  const begun = performance.now();
  return {
    show: (done, size) =>
      line.show(() => {
        const rate = done / Math.max(0.001, (performance.now() - begun) / 1000);
        const percent = Math.floor((100 * done) / Math.max(1, size));
        return `${verb} ${sizeText(done)} of ${sizeText(size)} (${percent} %), ${sizeText(rate)} a second`;
      }),
    clear: line.clear,
  };
}
