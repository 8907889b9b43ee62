import { RpcError, type CallOptions } from '../../cri/client.ts';
import type { RequestInput, ResponseOf, UnaryRpc } from '../../cri/rpc.ts';
import type { TestNode } from '../node.ts';
import type { Book } from './book.ts';

/** A kubelet's runtimeRequestTimeout. */
const REQUEST_MS = 120_000;

export type Code = RpcError['code'];

export interface LineOptions extends CallOptions {
  /** Codes that a kubelet takes for an answer at this place. */
  tolerate?: Code[];
}

/** A call that could not be made because the daemon was down on purpose. A kubelet logs it and tries again. */
export class Away extends Error {}

/** The codes of calls that were under way, or made, while the daemon went down. */
const OF_ABSENCE: Code[] = ['UNAVAILABLE', 'CANCELLED', 'INTERNAL', 'UNKNOWN'];

/** A kubelet's way to the runtime: times each call, and complains of every error that a kubelet would not expect. */
export class Line {
  readonly #node: TestNode;
  readonly #book: Book;
  readonly #abort = new AbortController();
  #away = 0;

  constructor(node: TestNode, book: Book) {
    this.#node = node;
    this.#book = book;
  }

  /** Between `true` and `false` the daemon is not there: errors of absence are nobody's fault. */
  set away(away: boolean) {
    // A call that began before the daemon was back may still fail for that.
    if (away) this.#away = Infinity;
    else this.#away = performance.now();
  }

  /** The kubelet ends: its calls end with it. */
  hangUp(): void {
    this.#abort.abort();
  }

  get hungUp(): boolean {
    return this.#abort.signal.aborted;
  }

  /** One call. Rejects with RpcError when it fails with a code that is tolerated, with Away, or after a complaint. */
  async call<R extends UnaryRpc>(
    rpc: R,
    request: RequestInput<R>,
    { tolerate = [], deadlineMs = REQUEST_MS }: LineOptions = {},
  ): Promise<ResponseOf<R>> {
    const begun = performance.now();
    try {
      if (this.#away === Infinity) throw new Away('The daemon is down');
      const answer = await this.#node.client.call(rpc, request, { deadlineMs, signal: this.#abort.signal });
      this.#book.took(rpc, performance.now() - begun);
      return answer;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (this.hungUp) throw new Away('The kubelet has ended', { cause: error });
      if (begun < this.#away && OF_ABSENCE.includes(error.code))
        throw new Away(error.message, { cause: error });
      this.#book.took(rpc, performance.now() - begun);
      if (!tolerate.includes(error.code))
        this.#book.complain(`${rpc} fails with ${error.code}`, error.details);
      throw error;
    }
  }
}

/** Whether `error` is an answer of the runtime with one of `codes`. */
export function isCode(error: unknown, ...codes: Code[]): boolean {
  return error instanceof RpcError && codes.includes(error.code);
}
