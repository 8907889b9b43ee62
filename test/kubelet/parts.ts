import type { TestNode } from '../node.ts';
import type { Book } from './book.ts';
import type { EventKind } from './event-follower.ts';
import type { ImageKeeper } from './image-keeper.ts';
import type { Ledger } from './ledger.ts';
import type { Line } from './line.ts';

/** What the parts of a kubelet share. */
export interface KubeletParts {
  node: TestNode;
  line: Line;
  book: Book;
  ledger: Ledger;
  images: ImageKeeper;
  backOff: { initialMs: number; maxMs: number };
  /** The stream of events has to tell this of `id`. */
  expectEvent(id: string, kind: EventKind): void;
  killContainer(podUid: string, containerId: string, why: string): void;
}
