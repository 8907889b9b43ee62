/** One subscriber's queue. */
interface Subscriber<T> {
  waiting: { item: T; bytes: number }[];
  /** Sum of those that wait. */
  bytes: number;
  wake: () => void;
  dropped: number;
}

/** How much may wait for one subscriber. */
export interface QueueBounds<T> {
  items: number;
  bytes: number;
  /** What an item takes, about. Asked once for each item. */
  sizeOf: (item: T) => number;
}

/**
 * Hands each item to every subscriber, each with a bounded queue of its own: who reads too slowly loses the oldest
 * items and holds nobody up. The newest is kept, whatever its size. Newer items are worth more here, as each tells the whole state of what it is about.
 */
export class EventQueue<T> {
  readonly #subscribers = new Set<Subscriber<T>>();
  readonly #bounds: QueueBounds<T>;
  readonly #onDrop: (dropped: number) => void;
  #dropped = 0;

  /** `onDrop` is told at the first item that a subscriber loses, and with the sum when it leaves. */
  constructor(bounds: QueueBounds<T>, onDrop: (dropped: number) => void) {
    this.#bounds = bounds;
    this.#onDrop = onDrop;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Items that subscribers have lost since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Gives an item to all who listen. It is not made when nobody does. */
  publish(make: () => T): void {
    if (this.#subscribers.size === 0) return;
    const item = make();
    const bytes = this.#bounds.sizeOf(item);
    for (const subscriber of this.#subscribers) {
      subscriber.waiting.push({ item, bytes });
      subscriber.bytes += bytes;
      while (this.#isOver(subscriber)) this.#drop(subscriber);
      subscriber.wake();
    }
  }

  #isOver({ waiting, bytes }: Subscriber<T>): boolean {
    return waiting.length > this.#bounds.items || (bytes > this.#bounds.bytes && waiting.length > 1);
  }

  #drop(subscriber: Subscriber<T>): void {
    subscriber.bytes -= subscriber.waiting.shift()!.bytes;
    this.#dropped++;
    if (++subscriber.dropped === 1) this.#onDrop(1);
  }

  /**
   * Every item from now on: the subscription begins with the call, not with the first read. Ends when the signal
   * aborts or the reader leaves.
   */
  subscribe(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    const subscriber: Subscriber<T> = { waiting: [], bytes: 0, wake: () => {}, dropped: 0 };
    this.#subscribers.add(subscriber);
    const leave = (): void => {
      if (this.#subscribers.delete(subscriber) && subscriber.dropped > 1) this.#onDrop(subscriber.dropped);
      subscriber.wake();
    };
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    const reading = this.#read(subscriber, signal);
    // A generator that was never begun does not run its `finally`.
    const end = reading.return.bind(reading);
    reading.return = (value) => {
      signal.removeEventListener('abort', leave);
      leave();
      return end(value);
    };
    return reading;
  }

  async *#read(subscriber: Subscriber<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    while (!signal.aborted) {
      const next = subscriber.waiting.shift();
      if (next !== undefined) {
        subscriber.bytes -= next.bytes;
        yield next.item;
        continue;
      }
      if (!this.#subscribers.has(subscriber)) return;
      await new Promise<void>((resolve) => (subscriber.wake = resolve));
    }
  }
}
