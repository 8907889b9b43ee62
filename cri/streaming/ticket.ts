import { randomBytes } from 'node:crypto';
import { Fault } from '../../ground/fault.ts';
import type { AttachRequest, ExecRequest } from '../../pod/streams.ts';

/** What one URL of the streaming server stands for. Ids are whole. */
export type Ticket =
  | { kind: 'exec'; containerId: string; request: ExecRequest }
  | { kind: 'attach'; containerId: string; request: AttachRequest & { tty: boolean } }
  | { kind: 'portforward'; sandboxId: string; ports: number[] };

const LIFE_MS = 60_000;
const MAX_TICKETS = 1000;
const TOKEN_BYTES = 24;

/**
 * Tickets that wait for their client, by token: 192 random bits, for one use within a minute, a thousand at once. A
 * token is a right: it stands in no log.
 */
export class Tickets {
  /** In the order of their issue, which is that of their expiry. */
  readonly #tickets = new Map<string, { ticket: Ticket; expires: number }>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The token for a ticket. Throws Fault `exhausted` when too many wait. */
  issue(ticket: Ticket): string {
    this.#expire();
    if (this.#tickets.size >= MAX_TICKETS)
      throw new Fault('exhausted', `${MAX_TICKETS} streaming sessions wait for their clients`, {
        hint: 'each URL waits for a minute: use those that were asked for, or try again then',
      });
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    this.#tickets.set(token, { ticket, expires: this.#now() + LIFE_MS });
    return token;
  }

  /** The ticket of a token, once; undefined when it is unknown, used, expired or of another kind. */
  redeem(kind: Ticket['kind'], token: string): Ticket | undefined {
    this.#expire();
    const found = this.#tickets.get(token);
    if (found === undefined || found.ticket.kind !== kind) return undefined;
    this.#tickets.delete(token);
    return found.ticket;
  }

  #expire(): void {
    const now = this.#now();
    for (const [token, { expires }] of this.#tickets) {
      if (expires > now) return;
      this.#tickets.delete(token);
    }
  }
}
