// SPDX-License-Identifier: Apache-2.0
import type { LoadClient } from './load.ts';
import type { Result, Series } from './measurement.ts';

export interface BenchSettings {
  /** The checkout; everything that the bench needs is built. */
  readonly root: string;
  /** At least 7 for a result that counts. */
  readonly rounds: number;
  /** Short measurements: shows that the bench works, not what the system can do. */
  readonly quick: boolean;
  /** Removed when the bench is over. */
  readonly workFolder: string;
  readonly load: LoadClient;
  readonly environment: NodeJS.ProcessEnv;
  readonly progress: (line: string) => void;
}

export interface Plot {
  /** File name within the output folder. */
  readonly file: string;
  readonly title: string;
  readonly results: readonly Result[];
}

export interface BenchOutcome {
  /** One a target line. */
  readonly results: readonly Result[];
  /** Cross-core round trips while it ran, nanoseconds. */
  readonly pingPongNs: readonly number[];
  readonly raw: Record<string, Series[]>;
  readonly plots: readonly Plot[];
  /** What people should see below the table. */
  readonly notes: readonly string[];
}

/** Measures; leaves nothing behind but its outcome. */
export type Bench = (settings: BenchSettings) => Promise<BenchOutcome>;
