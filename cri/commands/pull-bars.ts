import type { WriteStream } from 'node:tty';
import type { PulledLayer } from '../proto/codec.js';
import { bytes } from './text.ts';

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const NAME = 12;
const STATE = 9;
const FIGURES = 19;
/** Layers that a terminal shows at once, however high it is. */
const MAX_ROWS = 40;

/** Where bars are drawn. */
export type BarScreen = Pick<WriteStream, 'write' | 'isTTY' | 'columns' | 'rows'>;

/**
 * How a pull goes on: on a terminal one bar for each layer, drawn over and over in the same place; elsewhere a line
 * each time that a layer changes its state.
 */
export class PullBars {
  readonly #screen: BarScreen;
  readonly #now: () => number;
  readonly #begun: number;
  readonly #told = new Map<string, string>();
  #drawn = 0;

  constructor(screen: BarScreen, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#now = now;
    this.#begun = now();
  }

  /** Shows where the layers stand now. */
  show(layers: PulledLayer[]): void {
    if (layers.length === 0) return;
    if (!this.#screen.isTTY) return this.#tell(layers);
    // A terminal that nobody has told its size says 0.
    const rows = Math.max(Math.min((this.#screen.rows || 24) - 2, MAX_ROWS), 1);
    const lines = pullLines(layers, this.#screen.columns || 80, rows, this.#now() - this.#begun);
    const back = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`;
    const gone = '\x1b[K\n'.repeat(Math.max(0, this.#drawn - lines.length));
    const up = gone === '' ? '' : `\x1b[${this.#drawn - lines.length}A`;
    this.#screen.write(back + lines.map((line) => `${line}\x1b[K\n`).join('') + gone + up);
    this.#drawn = lines.length;
  }

  #tell(layers: PulledLayer[]): void {
    for (const [i, layer] of layers.entries()) {
      const key = `${i} ${layer.digest}`;
      if (this.#told.get(key) === layer.state) continue;
      this.#told.set(key, layer.state);
      if (layer.state === 'waiting') continue;
      this.#screen.write(
        `${nameOf(layer)}  ${layer.state.padEnd(STATE)}  ${bytes(Number(layer.bytesTotal))}\n`,
      );
    }
  }
}

/** One line a layer, those that are done left out when there are more than `rows`, and one line for all of them. */
export function pullLines(layers: PulledLayer[], columns: number, rows: number, ms: number): string[] {
  const width = Math.max(columns - NAME - STATE - FIGURES - 9, 8);
  const shown = layers.length <= rows ? layers : layers.filter(({ state }) => state !== 'done');
  const lines = shown.slice(0, rows).map((layer) => {
    const [done, total] = [Number(layer.bytesDone), Number(layer.bytesTotal)];
    const part = total === 0 ? 1 : done / total;
    const figures = `${bytes(done)} / ${bytes(total)}`.padStart(FIGURES);
    return `${nameOf(layer)}  ${layer.state.padEnd(STATE)}  ▕${bar(part, width)}▏ ${figures}`;
  });
  return [...lines, summary(layers, ms)];
}

function summary(layers: PulledLayer[], ms: number): string {
  const sum = (field: 'bytesDone' | 'bytesTotal'): number =>
    layers.reduce((total, layer) => total + Number(layer[field]), 0);
  const ready = layers.filter(({ state }) => state === 'done').length;
  const [done, total] = [sum('bytesDone'), sum('bytesTotal')];
  const rate = ms < 500 ? '' : `, ${bytes(Math.round(done / (ms / 1000)))}/s`;
  return `${ready} of ${layers.length} layers, ${bytes(done)} of ${bytes(total)}${rate}`;
}

/** Blocks for `part` (0 to 1) of `width` columns, in eighths of a column. */
function bar(part: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(part, 0), 1) * width * 8);
  return ('█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]!).padEnd(width);
}

function nameOf({ digest }: PulledLayer): string {
  return digest.slice(digest.indexOf(':') + 1, digest.indexOf(':') + 1 + NAME).padEnd(NAME);
}
