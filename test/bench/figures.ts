/** The bound that a figure must keep: its difference if it has one, else its ratio, else the figure itself. */
export interface Target {
  readonly most?: number;
  readonly least?: number;
}

/** One line of the bench. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  /** hushd's figure: the median of the rounds. */
  readonly hushd: number;
  /** What it is held against, and the median of its figures. */
  readonly beside?: { readonly name: string; readonly figure: number };
  /** The median of the rounds' ratios, hushd's figure to the other. */
  readonly ratio?: number;
  /** The median of the rounds' differences, hushd's figure less the other. */
  readonly difference?: number;
  readonly target?: Target;
  readonly met?: boolean;
}

/** The machine and the program that the figures are of; nothing that names them. */
export interface Machine {
  readonly date: string;
  readonly processors: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** The load average of a minute before the first round: figures of a busy machine are to be taken again. */
  readonly loadBefore: number;
}

/** What `npm run bench` writes to docs/bench.json. */
export interface Report {
  readonly machine: Machine;
  readonly rounds: number;
  readonly figures: readonly Figure[];
}

/** The figures of something else, round by round, each measured right beside hushd's. */
export interface Other {
  readonly name: string;
  readonly values: readonly number[];
}

/** The middle of the values; the mean of the middle two where their number is even. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const last = sorted.length - 1;
  return ((sorted[Math.floor(last / 2)] ?? NaN) + (sorted[Math.ceil(last / 2)] ?? NaN)) / 2;
}

const rounded = (value: number): number => Number(value.toPrecision(4));

function judged(target: Target | undefined, value: number): Pick<Figure, 'target' | 'met'> {
  if (target === undefined) return {};
  const { most = Infinity, least = -Infinity } = target;
  return { target, met: value <= most && value >= least };
}

/** A figure that stands by itself. */
export function plainFigure(what: string, unit: string, values: readonly number[], target?: Target): Figure {
  const hushd = median(values);
  return { what, unit, hushd: rounded(hushd), ...judged(target, hushd) };
}

/** The figures of both, and what `compare` makes of each round. Throws where their rounds are not as many. */
function compared(
  what: string,
  unit: string,
  values: readonly number[],
  { name, values: others }: Other,
  compare: (value: number, other: number) => number,
): { readonly figure: Figure; readonly result: number } {
  if (values.length !== others.length) throw new Error(`${what}: not as many rounds as ${name} has`);
  const beside = { name, figure: rounded(median(others)) };
  return {
    figure: { what, unit, hushd: rounded(median(values)), beside },
    result: median(values.map((value, round) => compare(value, others[round] ?? NaN))),
  };
}

/** A figure as a multiple of another. */
export function ratioFigure(
  what: string,
  unit: string,
  values: readonly number[],
  other: Other,
  target?: Target,
): Figure {
  const { figure, result } = compared(what, unit, values, other, (value, base) => value / base);
  return { ...figure, ratio: rounded(result), ...judged(target, result) };
}

/** A figure as so much more than another. */
export function differenceFigure(
  what: string,
  unit: string,
  values: readonly number[],
  other: Other,
  target?: Target,
): Figure {
  const { figure, result } = compared(what, unit, values, other, (value, base) => value - base);
  return { ...figure, difference: rounded(result), ...judged(target, result) };
}
