import { createHash, type Hash } from 'node:crypto';
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import { Fault } from '../../ground/fault.ts';
import { BufferTurnover } from '../../native/memory.ts';
import { TarReader } from '../tar/reader.ts';
import { LayerExtractor, type ExtractLimits } from './extract.ts';
import { recipeFile, type Unpacked } from './protocol.ts';
import { RecipeWriter } from './recipe.ts';

/** Output of the decompressors: large pieces are half again as fast as Node's default. */
const PIECE = 512 * 1024;
/** Decompressed pieces that may wait; the thread pool works on the next one meanwhile. */
const WAITING = 2;

/** Of this thread, which may have several jobs. */
const turnover = new BufferTurnover();

/**
 * One layer on its way from compressed bytes to a directory. Decompression runs on the thread pool, one piece ahead
 * of the tar reader and the file system calls, which run on this thread.
 */
export class UnpackJob {
  readonly #extractor: LayerExtractor;
  readonly #recipe: RecipeWriter;
  readonly #reader: TarReader;
  readonly #hash: Hash;
  readonly #algorithm: string;
  readonly #limit: number;
  readonly #failed: (error: unknown) => void;
  #decoder: Gunzip | ZstdDecompress | 'none' | undefined;
  #head = Buffer.alloc(0);
  #size = 0;
  #waiting: Buffer[] = [];
  #scheduled = false;
  #decoded = false;
  #over = false;
  #done: ((layer: Unpacked) => void) | undefined;

  /** `failed` is called once with the first error; the job is dead then and takes bytes without using them. */
  constructor(directory: string, limits: ExtractLimits, algorithm: string, failed: (error: unknown) => void) {
    this.#recipe = new RecipeWriter(recipeFile(directory));
    try {
      this.#extractor = new LayerExtractor(directory, limits, this.#recipe);
    } catch (error) {
      this.#recipe.abandon();
      throw error;
    }
    this.#reader = new TarReader(this.#extractor);
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
    this.#limit = limits.bytes;
    this.#failed = failed;
  }

  /** Takes bytes of the blob. `consumed` is called when they are no longer needed. */
  write(bytes: Buffer, consumed: () => void): void {
    if (this.#over) return consumed();
    try {
      this.#write(bytes, consumed);
    } catch (error) {
      this.#fail(error);
      consumed();
    }
  }

  /** No more bytes. `done` is called when the whole layer is on the file system (not yet synced). */
  end(done: (layer: Unpacked) => void): void {
    if (this.#over) return;
    this.#done = done;
    try {
      if (this.#decoder === undefined) this.#start(this.#head, () => {});
      if (this.#decoder === 'none') this.#finish();
      else this.#decoder?.end();
    } catch (error) {
      this.#fail(error);
    }
  }

  abandon(): void {
    this.#over = true;
    this.#waiting = [];
    if (typeof this.#decoder === 'object') this.#decoder.destroy();
    this.#extractor.close();
    this.#recipe.abandon();
  }

  #write(bytes: Buffer, consumed: () => void): void {
    if (this.#decoder === undefined) {
      const head = Buffer.concat([this.#head, bytes]);
      if (head.length < MAGIC_LENGTH) {
        this.#head = head;
        return consumed();
      }
      this.#start(head, consumed);
    } else if (this.#decoder === 'none') {
      this.#take(bytes);
      consumed();
    } else this.#decoder.write(bytes, consumed);
  }

  /** Media types are often wrong about compression, the first bytes are not. */
  #start(head: Buffer, consumed: () => void): void {
    const decoder = decoderFor(head);
    this.#decoder = decoder;
    if (decoder === 'none') {
      this.#take(head);
      return consumed();
    }
    decoder.on('data', (piece: Buffer) => {
      this.#waiting.push(piece);
      if (this.#waiting.length >= WAITING) decoder.pause();
      this.#schedule();
    });
    decoder.on('end', () => {
      this.#decoded = true;
      this.#schedule();
    });
    decoder.on('error', (cause) => {
      this.#fail(new Fault('invalid', 'The layer cannot be decompressed', { cause }));
    });
    decoder.write(head, consumed);
  }

  /** One piece a turn of the event loop, so that the decompressor is set to work before the piece is. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#over) return;
      try {
        const piece = this.#waiting.shift();
        if (piece !== undefined) this.#take(piece);
        if (this.#waiting.length < WAITING && typeof this.#decoder === 'object') this.#decoder.resume();
        if (this.#waiting.length > 0) this.#schedule();
        else if (this.#decoded) this.#finish();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #take(piece: Buffer): void {
    this.#size += piece.length;
    if (this.#size > this.#limit)
      throw new Fault('exhausted', `A layer unpacks to more than ${this.#limit} bytes`);
    this.#hash.update(piece);
    this.#reader.push(piece);
    if (this.#decoder !== 'none') turnover.passed(piece.length);
  }

  #finish(): void {
    this.#reader.finish();
    const layer = this.#extractor.finish();
    const recipe = this.#recipe.finish(this.#size);
    this.#over = true;
    this.#done?.({ ...layer, diffId: `${this.#algorithm}:${this.#hash.digest('hex')}`, recipe });
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.abandon();
    this.#failed(error);
  }
}

const MAGIC_LENGTH = 4;
const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

function decoderFor(head: Buffer): Gunzip | ZstdDecompress | 'none' {
  if (head.subarray(0, GZIP.length).equals(GZIP)) return createGunzip({ chunkSize: PIECE });
  if (isZstd(head)) return createZstdDecompress({ chunkSize: PIECE });
  return 'none';
}

/** A zstd frame, or one of the sixteen skippable frames that may stand before it (RFC 8878, 3.1). */
function isZstd(head: Buffer): boolean {
  if (head.length < MAGIC_LENGTH) return false;
  return head.subarray(0, MAGIC_LENGTH).equals(ZSTD) || head.readUInt32LE(0) >>> 4 === 0x184d2a5;
}
