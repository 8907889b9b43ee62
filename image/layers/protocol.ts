import type { FaultKind } from '../../ground/fault.ts';
import type { Extracted, ExtractLimits } from './extract.ts';
import type { RecipeFacts } from './recipe.ts';

/** What the daemon's thread asks of an unpacking worker. `job` is chosen by the asker. */
export type Request =
  | { to: 'open'; job: number; directory: string; limits: ExtractLimits; diffAlgorithm: string }
  /** The first `length` bytes of `buffer`, which comes back with the acknowledgement. */
  | { to: 'write'; job: number; buffer: ArrayBuffer; length: number }
  /** No more bytes: finish and answer `unpacked`. */
  | { to: 'end'; job: number }
  /** Drop the job; nothing is answered. */
  | { to: 'abandon'; job: number }
  | { to: 'settle'; job: number; settlements: Settlement[] };

/** Makes an unpacked directory, and its recipe if it has one, durable under their final names. */
export interface Settlement {
  directory: string;
  final: string;
  /** Final place of the recipe. */
  recipe: string | undefined;
  /** Directories whose attributes come from `lower`, the layer directories below, topmost first. */
  implicit: string[];
  lower: string[];
}

export interface Unpacked extends Extracted {
  /** Digest of the tar stream. */
  diffId: string;
  /** Absent: the stream cannot be made again from the directory. */
  recipe: RecipeFacts | undefined;
}

/** Where the recipe of a layer is written that is being unpacked into `directory`. */
export function recipeFile(directory: string): string {
  return `${directory}.recipe`;
}

/** A Fault on its way between threads. */
export interface Failure {
  kind: FaultKind;
  message: string;
}

/** What a worker answers. */
export type Reply =
  | { from: 'consumed'; job: number; buffer: ArrayBuffer }
  | { from: 'unpacked'; job: number; layer: Unpacked }
  /** A failure for each settlement that did not work, at its place. */
  | { from: 'settled'; job: number; failures: (Failure | undefined)[] }
  | ({ from: 'failed'; job: number } & Failure);
