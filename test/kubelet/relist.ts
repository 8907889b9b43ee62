import { ContainerState, SandboxState } from '../pods.ts';
import type { Book } from './book.ts';
import type { EventFollower } from './event-follower.ts';
import { expectListing, type Listing } from './expectations.ts';
import type { Ledger } from './ledger.ts';
import type { Line } from './line.ts';
import { UID_LABEL } from './pod-status.ts';

type Kind = 'sandbox' | 'container';
interface Seen {
  kind: Kind;
  state: number;
  createdAt: bigint;
  uid: string;
}

/** The states in which they can follow each other. */
const LATER: Record<Kind, Record<number, number[]>> = {
  sandbox: { [SandboxState.READY]: [SandboxState.NOTREADY], [SandboxState.NOTREADY]: [] },
  container: {
    [ContainerState.CREATED]: [ContainerState.RUNNING, ContainerState.EXITED],
    [ContainerState.RUNNING]: [ContainerState.EXITED],
    [ContainerState.EXITED]: [],
  },
};

/**
 * The relist of a kubelet's pod lifecycle event generator: all sandboxes and all containers, compared with what was
 * seen before. Resolves with the uids of the pods in which something changed.
 */
export class Relist {
  readonly #line: Line;
  readonly #book: Book;
  readonly #ledger: Ledger;
  readonly #events: EventFollower;
  #seen = new Map<string, Seen>();

  constructor(line: Line, book: Book, ledger: Ledger, events: EventFollower) {
    this.#line = line;
    this.#book = book;
    this.#ledger = ledger;
    this.#events = events;
  }

  /** One look. Also hands on what was listed. */
  async look(): Promise<{ listing: Listing; changed: Set<string> }> {
    // What was there before the question has to be in the answer.
    const owed = [...this.#ledger.sandboxes.keys(), ...this.#ledger.containers.keys()];
    const { items: sandboxes } = await this.#line.call('ListPodSandbox', {});
    const { containers } = await this.#line.call('ListContainers', {});
    const listing = { sandboxes, containers };
    expectListing(listing, this.#book);
    const now = new Map<string, Seen>();
    for (const { id, state, createdAt, labels } of sandboxes)
      now.set(id, { kind: 'sandbox', state, createdAt, uid: labels[UID_LABEL] ?? '' });
    for (const { id, state, createdAt, labels } of containers)
      now.set(id, { kind: 'container', state, createdAt, uid: labels[UID_LABEL] ?? '' });
    for (const id of owed)
      if (!now.has(id) && !this.#ledger.removed.has(id))
        this.#book.complain('an object is gone that nobody removed', id);
    const changed = this.#compare(now);
    this.#seen = now;
    return { listing, changed };
  }

  #compare(now: Map<string, Seen>): Set<string> {
    const changed = new Set<string>();
    for (const [id, { kind, state, createdAt, uid }] of now) {
      const before = this.#seen.get(id);
      if (before?.state === state) continue;
      changed.add(uid);
      if (before === undefined) continue;
      if (!LATER[kind][before.state]?.includes(state))
        this.#book.complain(`a ${kind} went from state ${before.state} to ${state}`, id);
      if (createdAt !== before.createdAt) this.#book.complain(`a ${kind} has another time of creation`, id);
      const ended = kind === 'sandbox' ? SandboxState.NOTREADY : ContainerState.EXITED;
      if (state === ended) this.#events.expect(id, 'stopped');
    }
    for (const [id, { uid }] of this.#seen)
      if (!now.has(id)) {
        changed.add(uid);
        this.#events.expect(id, 'deleted');
      }
    return changed;
  }
}
