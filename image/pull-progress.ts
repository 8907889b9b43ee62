import type { LayerProgress, PullProgress } from './images.ts';

/** Counts how far a pull is, and tells each change. */
export class PullCounters {
  readonly #progress: PullProgress;
  readonly #layers: LayerProgress[];
  readonly #tell: (progress: PullProgress) => void;
  /** Called when the last byte has come. */
  fetched: () => void = () => {};

  constructor(
    layers: { size: number; digest: string | undefined }[],
    tell: (progress: PullProgress) => void,
  ) {
    this.#layers = layers.map(({ size, digest = '' }) => ({
      digest,
      state: 'waiting',
      bytesDone: 0,
      bytesTotal: size,
    }));
    const bytesTotal = layers.reduce((sum, { size }) => sum + size, 0);
    this.#progress = {
      layersDone: 0,
      layersTotal: layers.length,
      bytesDone: 0,
      bytesTotal,
      layers: this.#layers,
    };
    this.#tell = tell;
    tell(this.#progress);
  }

  /** `bytes` more of a layer have come. */
  add(layer: number, bytes: number): void {
    const at = this.#layers[layer]!;
    const counted = Math.min(bytes, at.bytesTotal - at.bytesDone);
    if (counted === 0) return;
    at.bytesDone += counted;
    at.state = at.bytesDone === at.bytesTotal ? 'unpacking' : 'fetching';
    this.#progress.bytesDone += counted;
    if (this.#progress.bytesDone === this.#progress.bytesTotal) this.fetched();
    this.#tell(this.#progress);
  }

  /** What came of a layer was of no use: it comes again. */
  restart(layer: number): void {
    const at = this.#layers[layer]!;
    this.#progress.bytesDone -= at.bytesDone;
    at.bytesDone = 0;
    at.state = 'waiting';
    this.#tell(this.#progress);
  }

  /** A layer is in its place. One that was there already counts in full. */
  done(layer: number): void {
    const at = this.#layers[layer]!;
    this.add(layer, at.bytesTotal - at.bytesDone);
    if (at.state === 'done') return;
    at.state = 'done';
    this.#progress.layersDone++;
    this.#tell(this.#progress);
  }
}
