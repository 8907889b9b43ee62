import { Fault } from '../ground/fault.ts';
import type { RecordTable } from '../ground/records.ts';
import type { ImageConfig, ImageRecord } from './images.ts';
import { fullName, parseReference } from './reference.ts';

/** An image as the record store keeps it under its id. */
export interface StoredImage extends ImageRecord {
  /** Digests of the manifests and indexes that led to this image. */
  targets: string[];
  /** The manifest and the configuration blob, as they came. */
  manifest: string;
  configBlob: string;
}

/** An image that has been unpacked and is to be listed. */
export interface NewImage {
  id: string;
  size: number;
  layers: string[];
  config: ImageConfig;
  targets: string[];
  manifest: string;
  configBlob: string;
}

const ID = /^(?:sha256:)?([a-f0-9]+)$/;
const FULL_ID = /^(?:sha256:)?([a-f0-9]{64})$/;

/** The images of this node and their names. A tag names one image; an image can have many names, or none. */
export class Catalog {
  readonly #table: RecordTable<StoredImage>;
  readonly #images = new Map<string, StoredImage>();

  #pinned: (names: readonly string[]) => boolean;

  /** `pinned` says which names stand for images that stay. */
  constructor(table: RecordTable<StoredImage>, pinned: (names: readonly string[]) => boolean = () => false) {
    this.#table = table;
    this.#pinned = pinned;
    for (const { id, value } of table.all()) this.#images.set(id, this.#withPin(value));
  }

  /** Other images stay from now on. */
  repin(pinned: (names: readonly string[]) => boolean): void {
    this.#pinned = pinned;
    for (const [id, image] of this.#images) this.#images.set(id, this.#withPin(image));
  }

  list(): StoredImage[] {
    return [...this.#images.values()];
  }

  get(id: string): StoredImage | undefined {
    return this.#images.get(id);
  }

  /** The image that a manifest or index of this digest led to. */
  byTarget(digest: string): StoredImage | undefined {
    return this.#images.values().find((image) => image.targets.includes(digest));
  }

  /**
   * What a user's word means: an id, a name, or the beginning of one image's id. A word that is no name at all,
   * or the beginning of several ids, means nothing.
   */
  find(word: string): StoredImage | undefined {
    const full = FULL_ID.exec(word);
    if (full !== null) return this.#images.get(`sha256:${full[1]}`);
    return this.#byName(word) ?? this.#byShortId(word);
  }

  /**
   * Lists the image, or adds to it if it is there; each of `tags` and `digests` (full names) then means it, and a
   * tag that meant another image leaves that one. Resolves when a power loss does not take that back: who was told
   * that an image is here does not ask for it again.
   */
  async add(image: NewImage, tags: string[], digests: string[]): Promise<StoredImage> {
    const before = this.#images.get(image.id);
    const stored: StoredImage = {
      ...image,
      pinned: false,
      repoTags: union(before?.repoTags, tags),
      repoDigests: union(before?.repoDigests, digests),
      targets: union(before?.targets, image.targets),
    };
    for (const other of this.#images.values()) {
      if (other.id === image.id || !other.repoTags.some((tag) => tags.includes(tag))) continue;
      this.#put({ ...other, repoTags: other.repoTags.filter((tag) => !tags.includes(tag)) });
    }
    this.#put(stored);
    const listed = this.#images.get(image.id)!;
    await this.#table.settle();
    return listed;
  }

  delete(id: string): void {
    this.#table.delete(id);
    this.#images.delete(id);
  }

  #put(image: StoredImage): void {
    this.#table.put(image.id, image);
    this.#images.set(image.id, this.#withPin(image));
  }

  /** The configuration decides, not the record: it may have changed since. */
  #withPin(image: StoredImage): StoredImage {
    return { ...image, pinned: this.#pinned([...image.repoTags, ...image.repoDigests]) };
  }

  #byName(word: string): StoredImage | undefined {
    let name: string;
    try {
      name = fullName(parseReference(word));
    } catch (error) {
      // Not a name: it can still be an id.
      if (error instanceof Fault) return undefined;
      throw error;
    }
    return this.#images
      .values()
      .find((image) => image.repoTags.includes(name) || image.repoDigests.includes(name));
  }

  #byShortId(word: string): StoredImage | undefined {
    const start = ID.exec(word)?.[1];
    if (start === undefined) return undefined;
    const matches = this.list().filter((image) => image.id.startsWith(`sha256:${start}`));
    return matches.length === 1 ? matches[0] : undefined;
  }
}

function union(before: string[] = [], more: string[]): string[] {
  return [...new Set([...before, ...more])];
}
