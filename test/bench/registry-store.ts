import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { sha256, type Blob, type BuiltImage } from '../image-builder.ts';
import type { Enclosure } from './enclosure.ts';

/** Where each node finds the registry: on its own loopback. */
export const REGISTRY = '127.0.0.1:5000';

/**
 * Writes an image into the store of a docker-registry, in the directory layout of its file system driver
 * (distribution, registry/storage/paths.go): every node then serves the same bytes without a push of its own.
 */
export function storeImage(store: string, name: string, tag: string, image: BuiltImage): void {
  const root = join(store, 'docker/registry/v2');
  const repository = join(root, 'repositories', name);
  for (const blob of image.blobs) {
    storeBlob(root, blob);
    link(join(repository, '_layers', hexPath(blob)), blob);
  }
  storeBlob(root, image.top);
  link(join(repository, '_manifests/revisions', hexPath(image.top)), image.top);
  link(join(repository, '_manifests/tags', tag, 'current'), image.top);
  link(join(repository, '_manifests/tags', tag, 'index', hexPath(image.top)), image.top);
}

/** The same for an image of one plain layer, which comes in pieces and never stands in memory. */
export function storeStreamedImage(
  store: string,
  name: string,
  tag: string,
  pieces: Iterable<Uint8Array>,
): void {
  const root = join(store, 'docker/registry/v2');
  mkdirSync(root, { recursive: true });
  const hash = createHash('sha256');
  const file = join(root, 'incoming');
  const fd = openSync(file, 'w');
  let size = 0;
  for (const piece of pieces) {
    hash.update(piece);
    writeSync(fd, piece);
    size += piece.length;
  }
  closeSync(fd);
  const digest = `sha256:${hash.digest('hex')}`;
  const directory = join(root, 'blobs', hexPath({ digest }).replace('/', `/${digest.slice(7, 9)}/`));
  mkdirSync(directory, { recursive: true });
  renameSync(file, join(directory, 'data'));
  link(join(root, 'repositories', name, '_layers', hexPath({ digest })), { digest });
  const oci = 'application/vnd.oci.image';
  const document = (mediaType: string, value: object): Blob => {
    const bytes = Buffer.from(JSON.stringify(value));
    return { mediaType, bytes, digest: sha256(bytes) };
  };
  const config = document(`${oci}.config.v1+json`, {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digest] },
  });
  const layer = { mediaType: `${oci}.layer.v1.tar`, digest, size };
  const top = document(`${oci}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${oci}.manifest.v1+json`,
    config: { mediaType: config.mediaType, digest: config.digest, size: config.bytes.length },
    layers: [layer],
  });
  storeImage(store, name, tag, { top, manifests: [top], imageIds: [config.digest], blobs: [config] });
}

/** Starts docker-registry inside, read-only over `store`. */
export function serveStore(enclosure: Enclosure, store: string): ChildProcess {
  const config = join(enclosure.directory, 'registry.yml');
  writeFileSync(
    config,
    `version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: ${store} }
  maintenance: { readonly: { enabled: true }, uploadpurging: { enabled: false } }
http: { addr: "${REGISTRY}" }
`,
  );
  return enclosure.start('registry', ['docker-registry', 'serve', config]);
}

function storeBlob(root: string, blob: Blob): void {
  const hex = blob.digest.slice('sha256:'.length);
  const directory = join(root, 'blobs/sha256', hex.slice(0, 2), hex);
  const file = join(directory, 'data');
  if (existsSync(file)) return;
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, blob.bytes);
}

function hexPath(blob: Pick<Blob, 'digest'>): string {
  return blob.digest.replace(':', '/');
}

function link(directory: string, blob: Pick<Blob, 'digest'>): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'link'), blob.digest);
}
