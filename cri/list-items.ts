import { Turn } from '../ground/turn.ts';
import { Encoded } from './encoded.ts';
import type { Codec, Input } from './proto/codec.js';

/** Field 1, length-delimited: where each list of the CRI has its items (wire.txt). */
const ITEM_TAG = 0x0a;
/** Largest part of a streamed list; an item that is larger is a part of its own. A kubelet takes 16 MiB. */
const PART_BYTES = 1024 * 1024;

interface Cached {
  bytes: Buffer;
  /** What the bytes were made from, besides what never changes. */
  facts: readonly unknown[];
}

/**
 * The items of one kind of list, each encoded once for as long as it stays as it is: a list of hundreds of objects is
 * then a matter of putting bytes together. Forgets an item with the object that it is known by.
 */
export class ListItems<V, W extends object> {
  readonly #cache = new WeakMap<object, Cached>();
  readonly #codec: Codec<W>;
  readonly #convert: (item: V) => Input<W>;
  readonly #identity: (item: V) => object;
  readonly #facts: (item: V) => readonly unknown[];

  /**
   * `identity` is an object that lives as long as the item and belongs to no other; `facts` are all values of the
   * item that can change while that object stays (compared by `Object.is`).
   */
  constructor(
    codec: Codec<W>,
    convert: (item: V) => Input<W>,
    identity: (item: V) => object,
    facts: (item: V) => readonly unknown[],
  ) {
    this.#codec = codec;
    this.#convert = convert;
    this.#identity = identity;
    this.#facts = facts;
  }

  /** A whole list as one answer. */
  all(items: readonly V[]): Encoded {
    return new Encoded(items.map((item) => this.#bytesOf(item)));
  }

  /** The same list in parts of at most a mebibyte. An empty list has no parts (CRI: a part carries at least one item). */
  parts(items: readonly V[]): Generator<Encoded> {
    return inParts(items.values().map((item) => this.#bytesOf(item)));
  }

  #bytesOf(item: V): Buffer {
    const identity = this.#identity(item);
    const facts = this.#facts(item);
    const cached = this.#cache.get(identity);
    if (cached !== undefined && facts.every((fact, at) => Object.is(fact, cached.facts[at])))
      return cached.bytes;
    const bytes = framed(this.#codec.encode(this.#convert(item)));
    this.#cache.set(identity, { bytes, facts });
    return bytes;
  }
}

/**
 * The items of a list that are made for one answer, as statistics are. Thousands of values are encoded for a crowded
 * node: other calls get their turn in between.
 */
export class FreshItems<V, W extends object> {
  readonly #codec: Codec<W>;
  readonly #convert: (item: V) => Input<W>;

  constructor(codec: Codec<W>, convert: (item: V) => Input<W>) {
    this.#codec = codec;
    this.#convert = convert;
  }

  /** A whole list as one answer. */
  async all(items: Iterable<V> | AsyncIterable<V>): Promise<Encoded> {
    return new Encoded(await this.#encode(items));
  }

  /** The same list in parts, as `ListItems.parts` makes them. */
  async *parts(items: Iterable<V> | AsyncIterable<V>): AsyncGenerator<Encoded> {
    yield* inParts(await this.#encode(items));
  }

  async #encode(items: Iterable<V> | AsyncIterable<V>): Promise<Buffer[]> {
    const turn = new Turn();
    const encoded: Buffer[] = [];
    for await (const item of items) {
      await turn.rest();
      encoded.push(framed(this.#codec.encode(this.#convert(item))));
    }
    return encoded;
  }
}

/** Puts encoded items together, each taken only when its part is asked for. */
function* inParts(items: Iterable<Buffer>): Generator<Encoded> {
  let part: Buffer[] = [];
  let size = 0;
  for (const bytes of items) {
    if (size + bytes.length > PART_BYTES && part.length > 0) {
      yield new Encoded(part);
      [part, size] = [[], 0];
    }
    part.push(bytes);
    size += bytes.length;
  }
  if (part.length > 0) yield new Encoded(part);
}

/** The item as a field of the list: tag, length as a varint, bytes (protobuf encoding). */
function framed(item: Uint8Array): Buffer {
  const head = [ITEM_TAG];
  let length = item.length;
  for (; length > 0x7f; length = Math.floor(length / 128)) head.push((length % 128) | 0x80);
  head.push(length);
  // Of its own memory: a slice would keep a whole slab alive for as long as the object.
  const bytes = Buffer.allocUnsafeSlow(head.length + item.length);
  bytes.set(head);
  bytes.set(item, head.length);
  return bytes;
}
