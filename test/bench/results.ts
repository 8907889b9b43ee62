import type { Concurrency } from './concurrency.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { LongList } from './long-list.ts';
import type { Crowd } from './memory.ts';
import type { NetworkFigures } from './network.ts';
import type { PullBounds } from './pull-bounds.ts';
import type { Pulls } from './pull.ts';
import type { Starts } from './start.ts';
import type { StreamingFigures } from './streaming.ts';

/** What one run found: the JSON that it writes. Parts that were not asked for are absent. */
export interface Results {
  date: string;
  machine: { cpus: number; cpu: string; kernel: string; memoryMiB: number; versions: Record<string, string> };
  pods: number;
  /** Milliseconds. */
  lifecycle?: Lifecycle;
  /** Whole lives at a time, and how many in all; seconds. */
  concurrency?: { lives: number; atOnce: number; seconds: Concurrency };
  crowd?: Record<string, Crowd>;
  longList?: LongList;
  pulls?: Pulls;
  pullBounds?: PullBounds;
  /** Milliseconds. */
  network?: NetworkFigures;
  /** Seconds. */
  streaming?: StreamingFigures;
  starts?: Starts;
}
