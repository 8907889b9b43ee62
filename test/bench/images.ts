import { tarArchive, tarEntry } from '../../image/tar/writer.ts';
import { pauseProgram } from '../../pod/pause/build.ts';
import {
  busyboxImage,
  buildImage,
  type BuiltImage,
  type Compression,
  type LayerBuild,
} from '../image-builder.ts';
import { REGISTRY, storeImage, storeStreamedImage } from './registry-store.ts';

export const BUSYBOX_IMAGE = `${REGISTRY}/bench/busybox:1`;
/** The peer's sandbox needs an image: it holds Berth's own pause, so that the comparison is not about that. */
export const PAUSE_IMAGE = `${REGISTRY}/bench/pause:1`;

export function largeImage(compression: Compression): string {
  return `${REGISTRY}/bench/large:${compression}`;
}

/** Puts the small images into the registry's store. */
export function storeSmallImages(store: string): void {
  const pause = buildImage({
    layers: [{ files: [{ path: 'pause', mode: 0o755, content: pauseProgram() }] }],
    config: { Entrypoint: ['/pause'] },
  });
  storeImage(store, 'bench/pause', '1', pause);
  storeImage(store, 'bench/busybox', '1', buildImage(busyboxImage()));
}

export interface LargeShape {
  smallFiles: number;
  bigFiles: number;
}

/** 20,000 files of about 4 KiB and ten of 22 MiB: some 300 MB. */
export const LARGE: LargeShape = { smallFiles: 20_000, bigFiles: 10 };

const BIG_BYTES = 22 * 1024 * 1024;
const SMALL_BYTES = 8192;

const LAYERS = 5;

/** Builds the large image and puts it into the store: five layers of equal size, the same bytes at every run. */
export function storeLargeImage(store: string, shape: LargeShape, compressions: Compression[]): void {
  const material = halfRandom(BIG_BYTES);
  for (const compression of compressions) {
    const layers = Array.from({ length: LAYERS }, (_, part) =>
      largeLayer(material, shape, part, compression),
    );
    const image: BuiltImage = buildImage({ layers, config: { Cmd: ['/none'] } });
    storeImage(store, 'bench/large', compression, image);
  }
}

function largeLayer(material: Buffer, shape: LargeShape, part: number, compression: Compression): LayerBuild {
  const files: LayerBuild['files'] = [];
  for (let i = part; i < shape.smallFiles; i += LAYERS) {
    const from = (i * 977) % (BIG_BYTES - SMALL_BYTES);
    const path = `usr/share/d${Math.floor(i / 100)}/file-${i}`;
    files.push({ path, mode: 0o644, content: material.subarray(from, from + ((i * 37) % SMALL_BYTES)) });
  }
  for (let i = part; i < shape.bigFiles; i += LAYERS) {
    const rotated = [material.subarray(i * 4099), material.subarray(0, i * 4099)];
    files.push({ path: `opt/big-${i}`, mode: 0o644, content: Buffer.concat(rotated) });
  }
  return { files, compression };
}

/** How many images the list is measured with, and their names. */
export const MANY = 1000;
export function oneOfMany(i: number): string {
  return `${REGISTRY}/bench/many:${i}`;
}

/** Images that differ in their configuration and share one small layer. */
export function storeManyImages(store: string): void {
  const layers = [{ files: [{ path: 'a', content: 'a' }] }];
  for (let i = 0; i < MANY; i++) {
    const config = { Env: [`NUMBER=${i}`], Cmd: ['/a'], Labels: { number: String(i) } };
    storeImage(store, 'bench/many', String(i), buildImage({ layers, config }));
  }
}

export const HUGE_IMAGE = `${REGISTRY}/bench/huge:1`;

/** An image of one uncompressed layer of at least `bytes`, which need not fit into memory. */
export function storeHugeImage(store: string, bytes: number): void {
  const content = halfRandom(BIG_BYTES);
  const pieces = function* (): Generator<Buffer> {
    for (let i = 0; i * BIG_BYTES < bytes; i++) yield tarEntry({ path: `huge-${i}`, content });
    yield tarArchive([]);
  };
  storeStreamedImage(store, 'bench/huge', '1', pieces());
}

/** Bytes that compress to about half, as programs do: blocks of noise between blocks of repetition. */
function halfRandom(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 0x2545f491;
  for (let at = 0; at < length; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeInt32LE(at & 512 ? state : ((at >> 10) * 0x01010101) | 0, at);
  }
  return bytes;
}
