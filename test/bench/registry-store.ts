import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Blob, BuiltImage } from '../image-builder.ts';
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

function hexPath(blob: Blob): string {
  return blob.digest.replace(':', '/');
}

function link(directory: string, blob: Blob): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'link'), blob.digest);
}
