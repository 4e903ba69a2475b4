/** How long a run takes: how many rounds, and how many requests each has. */
export interface Scale {
  readonly rounds: number;
  /** Requests before the first round, of each target. */
  readonly warmUp: number;
  /** Requests of a round of reads, one at a time and in flight. */
  readonly oneAtATime: number;
  readonly pipelined: number;
  /** Requests of a round of changes, in either manner. */
  readonly changes: number;
  /** Secrets in the small vault and in the large one. */
  readonly few: number;
  readonly many: number;
  /** Requests between the two looks at the daemon's memory. */
  readonly requests: number;
  readonly unlocks: number;
  /** Secrets of the vault whose keys are rotated, and how often. */
  readonly rotated: number;
  readonly rotations: number;
  /** Records of the audit that is verified, and how often. */
  readonly records: number;
  readonly verifications: number;
}

export const fullScale: Scale = {
  rounds: 15,
  warmUp: 20_000,
  oneAtATime: 5_000,
  pipelined: 40_000,
  changes: 1_000,
  few: 100,
  many: 100_000,
  requests: 1_000_000,
  unlocks: 9,
  rotated: 100_000,
  rotations: 3,
  records: 1_000_000,
  verifications: 3,
};

/** Enough to see that everything works, and little of how fast. */
export const quickScale: Scale = {
  rounds: 3,
  warmUp: 2_000,
  oneAtATime: 2_000,
  pipelined: 10_000,
  changes: 200,
  few: 100,
  many: 1_000,
  requests: 100_000,
  unlocks: 3,
  rotated: 20_000,
  rotations: 1,
  records: 100_000,
  verifications: 1,
};

/** Bytes of every value, and requests in flight where they do not go one at a time. */
export const valueBytes = 200;
export const inFlight = 32;

/** A number as the names of figures write it. */
export const counted = (value: number): string => value.toLocaleString('en-US');
