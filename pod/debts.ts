import type { Clock } from '../ground/clock.ts';
import { messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { RecordTable } from '../ground/records.ts';

/** Something that was to be given back and could not be: kept until it is. */
export interface DebtRecord {
  id: string;
  kind: string;
  /** The sandbox or container that it came from. */
  owner: string;
  /** What paying it needs. Plain data. */
  detail: unknown;
  sinceNs: bigint;
  tries: number;
  lastError: string;
}

/** Pays one kind of debt; rejects while it cannot. */
export type Payer = (detail: unknown, owner: string) => Promise<void>;

const FIRST_DELAY_MS = 1_000;
const LAST_DELAY_MS = 300_000;

/**
 * Failed undos. They never stand in the way of a stop or a removal: they are written down, tried again in the
 * background with growing pauses, and survive a restart.
 */
export class Debts {
  readonly #table: RecordTable<DebtRecord>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #payers = new Map<string, Payer>();
  readonly #open = new Map<string, DebtRecord>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(table: RecordTable<DebtRecord>, clock: Clock, log: Log) {
    this.#table = table;
    this.#clock = clock;
    this.#log = log;
  }

  /** Says who pays debts of `kind`. All payers are named before `resume`. */
  register(kind: string, payer: Payer): void {
    this.#payers.set(kind, payer);
  }

  get open(): readonly DebtRecord[] {
    return [...this.#open.values()];
  }

  /** The debts of an earlier run, before `resume`. */
  stored(): DebtRecord[] {
    return this.#table.all().map(({ value }) => value);
  }

  /** Takes up the debts of an earlier run. */
  resume(): void {
    for (const { value } of this.#table.all()) {
      this.#open.set(value.id, value);
      this.#schedule(value);
    }
  }

  /** Tries to give `detail` back now; what fails becomes a debt. Never rejects. */
  async payOrOwe(kind: string, owner: string, detail: unknown): Promise<boolean> {
    try {
      await this.#payer(kind)(detail, owner);
      return true;
    } catch (error) {
      this.owe(kind, owner, detail, error);
      return false;
    }
  }

  /** Writes a debt down. A second one of the same kind and owner takes the place of the first. */
  owe(kind: string, owner: string, detail: unknown, error: unknown): void {
    const id = `${kind}/${owner}`;
    const debt: DebtRecord = {
      id,
      kind,
      owner,
      detail,
      sinceNs: this.#open.get(id)?.sinceNs ?? this.#clock.nowNs(),
      tries: 1,
      lastError: messageOf(error),
    };
    this.#table.put(id, debt);
    this.#open.set(id, debt);
    this.#log.warn({ debt: id, error: debt.lastError }, 'could not give back; will try again');
    this.#schedule(debt);
  }

  /** Stops trying. What is open stays written down. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #payer(kind: string): Payer {
    const payer = this.#payers.get(kind);
    if (payer === undefined) throw new Error(`Nobody pays debts of kind ${kind}`);
    return payer;
  }

  #schedule(debt: DebtRecord): void {
    if (this.#closed) return;
    clearTimeout(this.#timers.get(debt.id));
    const delay = Math.min(FIRST_DELAY_MS * 2 ** (debt.tries - 1), LAST_DELAY_MS);
    const timer = setTimeout(() => void this.#try(debt), delay);
    timer.unref();
    this.#timers.set(debt.id, timer);
  }

  async #try(debt: DebtRecord): Promise<void> {
    try {
      await this.#payer(debt.kind)(debt.detail, debt.owner);
    } catch (error) {
      debt.tries++;
      debt.lastError = messageOf(error);
      if (this.#closed) return;
      this.#table.put(debt.id, debt);
      this.#schedule(debt);
      return;
    }
    if (this.#closed) return;
    this.#table.delete(debt.id);
    this.#open.delete(debt.id);
    this.#timers.delete(debt.id);
    this.#log.info({ debt: debt.id, tries: debt.tries }, 'given back');
  }
}
