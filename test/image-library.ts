import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxImage, pushImage, type BuiltImage, type ImageBuild } from './image-builder.ts';
import { startRegistry, type Registry } from './registry.ts';
import type { TestNode } from './node.ts';
import { ownDirectory } from './strays.ts';

/** Port of the registry in each node's network namespace. */
const NODE_PORT = 5000;

/**
 * Images for the nodes of a test: pushed once, served to each node by a registry on that node's own loopback. All
 * registries read the same store.
 */
export class ImageLibrary {
  /** What the nodes put in front of an image's name. */
  static readonly address = `127.0.0.1:${NODE_PORT}`;
  readonly #store: string;
  readonly #front: Registry;
  readonly #served = new Map<TestNode, Registry>();

  private constructor(store: string, front: Registry) {
    this.#store = store;
    this.#front = front;
  }

  static async open(): Promise<ImageLibrary> {
    const store = mkdtempSync('/tmp/berth-images-');
    try {
      ownDirectory(store);
      return new ImageLibrary(store, await startRegistry({ store }));
    } catch (error) {
      rmSync(store, { recursive: true, force: true });
      throw error;
    }
  }

  /** Pushes an image as `name:tag`; nodes pull it as `ImageLibrary.address/name:tag`. */
  push(reference: string, image: ImageBuild = busyboxImage()): Promise<BuiltImage> {
    return pushImage(this.#front.address, reference, image);
  }

  /** Address of the registry that this process itself can reach, for what `push` does not do. */
  get front(): string {
    return this.#front.address;
  }

  /** The directory that all of its registries serve. */
  get store(): string {
    return this.#store;
  }

  /** Changes one byte of a stored blob; its size stays, its digest does not. */
  damage(digest: string): void {
    const hex = digest.replace('sha256:', '');
    const file = join(this.#store, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
  }

  /** Starts the node's registry, after a reboot anew. */
  async serve(node: TestNode): Promise<void> {
    await this.#served.get(node)?.stop();
    const registry = await startRegistry({
      store: this.#store,
      port: NODE_PORT,
      inside: (argv) => node.space.inside(argv),
    });
    this.#served.set(node, registry);
  }

  /** Stops every registry and removes the images. */
  async close(): Promise<void> {
    for (const registry of [...this.#served.values(), this.#front]) await registry.stop();
    rmSync(this.#store, { recursive: true, force: true });
  }
}
