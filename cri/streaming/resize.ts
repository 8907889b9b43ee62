/** A terminal's size is some thirty bytes. */
const MAX_BYTES = 4096;

/**
 * Reads the resize stream: JSON objects `{"Width":80,"Height":24}` one after the other, cut anywhere. What is no size
 * is passed over; no command ends for it.
 */
export class ResizeReader {
  readonly #resize: (columns: number, rows: number) => void;
  #text = '';

  constructor(resize: (columns: number, rows: number) => void) {
    this.#resize = resize;
  }

  /** Takes the next bytes. */
  read(bytes: Uint8Array): void {
    this.#text += Buffer.from(bytes).toString('latin1');
    for (let end = this.#text.indexOf('}'); end >= 0; end = this.#text.indexOf('}')) {
      this.#one(this.#text.slice(0, end + 1));
      this.#text = this.#text.slice(end + 1);
    }
    if (this.#text.length > MAX_BYTES) this.#text = '';
  }

  #one(text: string): void {
    let size: { Width?: unknown; Height?: unknown } | null;
    try {
      size = JSON.parse(text) as typeof size;
    } catch {
      return; // not a size
    }
    const { Width: columns, Height: rows } = size ?? {};
    if (isSize(columns) && isSize(rows)) this.#resize(columns, rows);
  }
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 0xffff;
}
