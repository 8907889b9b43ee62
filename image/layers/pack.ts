import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGzip, createZstdCompress } from 'node:zlib';
import { Fault } from '../../ground/fault.ts';
import { rebuildTar, type LayerOnDisk } from './rebuild.ts';

/** How the layers of a saved image are compressed. */
export type LayerCompression = 'none' | 'gzip' | 'zstd';

/** A layer that is to be written into the file `to`, from `offset` on. */
export interface Packing {
  layer: LayerOnDisk;
  compression: LayerCompression;
  to: string;
  offset: number;
}

/** What was written. */
export interface PackedLayer {
  digest: string;
  size: number;
}

const PIECE = 1024 * 1024;

/**
 * Writes the stream of a layer, checking on the way that it is the one of its diff id. `check` may throw between two
 * pieces. Throws Fault('data-loss') for a damaged layer.
 */
export async function packLayer(
  { layer, compression, to, offset }: Packing,
  check: () => void,
): Promise<PackedLayer> {
  const algorithm = layer.diffId.slice(0, layer.diffId.indexOf(':'));
  const plain = createHash(algorithm);
  const packed = createHash('sha256');
  await using file = await open(to, 'r+');
  let size = 0;
  for await (const piece of compressed(hashed(layer, plain, check), compression)) {
    packed.update(piece);
    await writeAll(file, piece, offset + size);
    size += piece.length;
  }
  const actual = `${algorithm}:${plain.digest('hex')}`;
  if (actual !== layer.diffId)
    throw new Fault('data-loss', `The content of the layer is ${actual}, expected ${layer.diffId}`);
  return { digest: `sha256:${packed.digest('hex')}`, size };
}

function* hashed(layer: LayerOnDisk, hash: Hash, check: () => void): Generator<Buffer> {
  for (const bytes of rebuildTar(layer)) {
    check();
    hash.update(bytes);
    yield bytes;
  }
}

function compressed(
  bytes: Iterable<Buffer>,
  compression: LayerCompression,
): AsyncIterable<Buffer> | Iterable<Buffer> {
  if (compression === 'none') return gathered(bytes);
  const encoder =
    compression === 'gzip' ? createGzip({ chunkSize: PIECE }) : createZstdCompress({ chunkSize: PIECE });
  const source = Readable.from(gathered(bytes), { objectMode: false, highWaterMark: PIECE });
  // An error of the source is the reason; the encoder only passes it on.
  source.once('error', (error) => encoder.destroy(error));
  return source.pipe(encoder);
}

/** Headers are small; nobody wants to be called for each of them. */
function* gathered(bytes: Iterable<Buffer>): Generator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  for (const part of bytes) {
    parts.push(part);
    size += part.length;
    if (size < PIECE) continue;
    yield Buffer.concat(parts);
    parts = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(parts);
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;)
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}
