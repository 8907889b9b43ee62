/** An answer that is encoded already: the server sends its bytes as they are. */
export class Encoded {
  readonly #pieces: readonly Buffer[];
  /** Of all pieces together, in bytes. */
  readonly length: number;

  /** The pieces in a row are one encoded message. */
  constructor(pieces: readonly Buffer[]) {
    this.#pieces = pieces;
    this.length = pieces.reduce((sum, { length }) => sum + length, 0);
  }

  /** The message in one piece. */
  bytes(): Buffer {
    const [first] = this.#pieces;
    return first !== undefined && this.#pieces.length === 1
      ? first
      : Buffer.concat(this.#pieces, this.length);
  }
}
