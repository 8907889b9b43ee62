import { setTimeout as sleep } from 'node:timers/promises';
import { RpcError } from '../../cri/client.ts';
import { ContainerEventType } from '../../cri/proto/codec.js';
import type { TestNode } from '../node.ts';
import type { Book } from './book.ts';

export type EventKind = 'created' | 'started' | 'stopped' | 'deleted';

const KINDS = new Map<number, EventKind>([
  [ContainerEventType.CONTAINER_CREATED_EVENT, 'created'],
  [ContainerEventType.CONTAINER_STARTED_EVENT, 'started'],
  [ContainerEventType.CONTAINER_STOPPED_EVENT, 'stopped'],
  [ContainerEventType.CONTAINER_DELETED_EVENT, 'deleted'],
]);

/** What a list has shown, an event may tell this much later. */
const LATE_MS = 5_000;
/** A change that was seen this soon after the first event may have been before it. */
const OPENING_MS = 2_000;

/** Follows GetContainerEvents for ever, as a kubelet with evented PLEG does: connects again when the stream ends. */
export class EventFollower {
  readonly #node: TestNode;
  readonly #book: Book;
  readonly #wake: (podUid: string) => void;
  readonly #stop = new AbortController();
  /** `id kind` of this connection. */
  #heard = new Set<string>();
  #since = Infinity;
  #expected: { key: string; seenAt: number }[] = [];
  #last = 0n;
  #ended: Promise<void> = Promise.resolve();

  constructor(node: TestNode, book: Book, wake: (podUid: string) => void) {
    this.#node = node;
    this.#book = book;
    this.#wake = wake;
  }

  start(): void {
    this.#ended = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  /** A list has shown this change of `id`: an event has to tell it, when the stream was there before. */
  expect(id: string, kind: EventKind): void {
    const now = performance.now();
    if (now - this.#since > OPENING_MS) this.#expected.push({ key: `${id} ${kind}`, seenAt: now });
    const late = this.#expected.filter(({ seenAt }) => now - seenAt > LATE_MS);
    for (const { key } of late)
      if (!this.#heard.has(key)) this.#book.complain('a change came without its event', key);
    this.#expected = this.#expected.filter((one) => !late.includes(one));
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const stream = this.#node.client.stream('GetContainerEvents', {}, { signal });
        for await (const event of stream) {
          this.#book.did('events heard');
          // Nothing but an event says that the daemon knows of this follower.
          this.#since = Math.min(this.#since, performance.now());
          const kind = KINDS.get(event.containerEventType);
          const uid = event.podSandboxStatus?.metadata?.uid;
          if (kind === undefined || event.containerId === '' || event.createdAt <= 0n || uid === undefined) {
            this.#book.complain('an event lacks what a kubelet needs', `${event.containerId} ${kind}`);
            continue;
          }
          if (event.createdAt < this.#last)
            this.#book.complain('an event is older than the one before it', event.containerId);
          this.#last = event.createdAt;
          this.#heard.add(`${event.containerId} ${kind}`);
          this.#wake(uid);
        }
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        // The daemon went: a kubelet connects again.
        if (!['UNAVAILABLE', 'CANCELLED', 'INTERNAL'].includes(error.code))
          this.#book.complain(`GetContainerEvents ends with ${error.code}`, error.details);
      }
      this.#since = Infinity;
      this.#expected = [];
      this.#heard = new Set();
      this.#last = 0n;
      if (!signal.aborted) {
        this.#book.did('event streams that ended');
        await sleep(250, undefined, { signal }).catch(() => {});
      }
    }
  }
}
