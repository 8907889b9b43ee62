import type { DaemonCensus } from '../../cri/census.ts';
import type { NoticeKind } from '../../ground/notices.ts';
import type { Verdict } from './verdict.ts';

/** Something that a person should know. It becomes one event, however often it is seen. */
export interface Matter {
  /** The same for the same matter, whichever agent sees it. */
  key: string;
  /** Another one says that it has happened again; while it is the same, it is one long occurrence. */
  occurrence: string;
  /** It goes on, and is told again now and then; else it has happened. */
  lasting: boolean;
  type: 'Normal' | 'Warning';
  /** The event's reason, one word. */
  reason: string;
  /** What was done or tried, one word. */
  action: string;
  note: string;
}

/** In milliseconds, and shares of the disk. */
export interface MatterBounds {
  /** A debt that is not paid by then is told. */
  oldDebtMs: number;
  /** Below this share of free bytes or inodes the disk is nearly full; it is no more above the second share. */
  low: number;
  enough: number;
  /** What was longer ago when the agent began to look is told no more. */
  recentMs: number;
}

const NOTICES: Record<NoticeKind, { reason: string; action: string }> = {
  'store-repaired': { reason: 'ImageStoreRepaired', action: 'Repair' },
  'store-unchecked': { reason: 'ImageStoreUnchecked', action: 'Check' },
  'no-room': { reason: 'ImageStoreFull', action: 'Pull' },
};
/** More of one kind are told as one. */
const SHOWN = 5;

/**
 * Finds what a person should know in what the daemon says of itself. It remembers since when it has seen debts, by a
 * clock that never jumps, and whether the disk was nearly full.
 */
export class Matters {
  readonly #bounds: MatterBounds;
  readonly #debts = new Map<string, number>();
  #diskLow = false;
  /** Which daemon it is, by the time of its start, and what of it was too long ago to be told. */
  #startedAt = '';
  readonly #past = new Set<string>();
  #start: { key: string; version: string; sinceMs: number } | undefined;

  constructor(bounds: MatterBounds) {
    this.#bounds = bounds;
  }

  /** Everything that holds now. `atMs`: a clock that never jumps. */
  of(census: DaemonCensus, atMs: number): Matter[] {
    const happened = [...noticed(census), ...quarantined(census)];
    if (this.#startedAt !== census.startedAt) this.#meet(census, happened, atMs);
    return [
      ...this.#started(census),
      ...happened.filter(({ occurrence, key }) => !this.#past.has(`${occurrence} ${key}`)),
      ...fallback(census),
      ...this.#disk(census),
      ...this.#oldDebts(census, atMs),
    ];
  }

  /** A daemon that was not there at the last look. */
  #meet(census: DaemonCensus, happened: readonly (Matter & { at: string })[], atMs: number): void {
    const { startedAt, version } = census;
    const first = this.#startedAt === '';
    this.#startedAt = startedAt;
    this.#past.clear();
    const isPast = (at: string): boolean => Math.abs(Date.now() - Date.parse(at)) > this.#bounds.recentMs;
    if (first)
      for (const { key, occurrence, at } of happened) if (isPast(at)) this.#past.add(`${occurrence} ${key}`);
    if (first && isPast(startedAt)) return;
    // A daemon that starts again and again makes one series.
    if (this.#start?.version === version && atMs - this.#start.sinceMs < this.#bounds.recentMs) return;
    this.#start = { key: `started ${version} ${startedAt}`, version, sinceMs: atMs };
  }

  /** The daemon has started, for those who did not see that it was gone. */
  #started({ version, startedAt: occurrence }: DaemonCensus): Matter[] {
    if (this.#start?.version !== version) return [];
    const head = { type: 'Normal', reason: 'DaemonStarted', action: 'Start', lasting: false } as const;
    return [{ ...head, key: this.#start.key, occurrence, note: `Berth ${version} has started` }];
  }

  #disk({ disk }: DaemonCensus): Matter[] {
    if (disk === undefined) return [];
    const { path, bytesFree, bytesTotal, inodesFree, inodesTotal } = disk;
    const shares = [
      ['bytes', bytesFree, bytesTotal],
      ['inodes', inodesFree, inodesTotal],
    ].filter((share): share is [string, number, number] => (share[2] as number) > 0);
    const bound = this.#diskLow ? this.#bounds.enough : this.#bounds.low;
    const low = shares.filter(([, free, total]) => free / total < bound);
    this.#diskLow = low.length > 0;
    return low.map(([what, free, total]) => ({
      key: `disk ${path} ${what}`,
      occurrence: '',
      lasting: true,
      type: 'Warning',
      reason: 'ImageDiskPressure',
      action: 'Measure',
      note: `The disk of the images and containers (${path}) is nearly full: less than ${percent(bound)} of its ${what} are free (${percent(free / total)})`,
    }));
  }

  #oldDebts({ debts }: DaemonCensus, atMs: number): Matter[] {
    const names = new Set(debts.map(debtName));
    for (const name of this.#debts.keys()) if (!names.has(name)) this.#debts.delete(name);
    for (const name of names) if (!this.#debts.has(name)) this.#debts.set(name, atMs);
    const old = debts.filter((debt) => atMs - this.#debts.get(debtName(debt))! >= this.#bounds.oldDebtMs);
    return few(
      old.map((debt) => ({
        ...DEBT,
        key: `debt ${debtName(debt)}`,
        note: `What a ${debt.kind} has left could not be given back since ${debt.since} (${debt.id}): ${debt.lastError}`,
      })),
      { ...DEBT, key: 'debts', note: `${old.length} undo steps have failed for long, see: berth status` },
    );
  }
}

const DEBT = {
  occurrence: '',
  lasting: true,
  type: 'Warning',
  reason: 'DebtUnpaid',
  action: 'GiveBack',
} as const;
const QUARANTINE = {
  lasting: false,
  type: 'Warning',
  reason: 'RecordQuarantined',
  action: 'Recover',
} as const;

function noticed({ notices, startedAt }: DaemonCensus): (Matter & { at: string })[] {
  return notices.map(({ kind, message, id, at }) => {
    const { reason, action } = NOTICES[kind];
    const head = { lasting: false, type: 'Warning', reason, action } as const;
    return { ...head, key: `${kind} ${message}`, occurrence: `${startedAt} ${id}`, note: message, at };
  });
}

function quarantined({ quarantined: records, startedAt: at }: DaemonCensus): (Matter & { at: string })[] {
  // They are set aside once: the daemon tells of those of its own life, most of them found at its start.
  const occurrence = at;
  return few(
    records.map(({ kind, id, reason }) => ({
      ...QUARANTINE,
      occurrence,
      at,
      key: `quarantine ${kind} ${id} ${reason}`,
      note: `A record that cannot be read was set aside (${kind} ${id}): ${reason}; what it named is swept`,
    })),
    {
      ...QUARANTINE,
      occurrence,
      at,
      key: 'quarantine',
      note: `${records.length} records that cannot be read were set aside, see: berth status`,
    },
  );
}

/** Nobody answers, for longer than an update takes. `since`: which daemon it was. */
export function unreachable({ message }: Verdict, since: string): Matter {
  const head = { lasting: true, type: 'Warning', reason: 'DaemonUnreachable', action: 'Ask' } as const;
  return { ...head, key: `unreachable ${since}`, occurrence: '', note: message };
}

function fallback({ handlers, preferredHandler }: DaemonCensus): Matter[] {
  const chosen = handlers.find(({ isDefault }) => isDefault);
  const preferred = handlers.find(({ name }) => name === preferredHandler);
  if (chosen === undefined || preferred === undefined || chosen.name === preferred.name) return [];
  return [
    {
      key: `fallback ${preferred.name} ${chosen.name}`,
      occurrence: '',
      lasting: true,
      type: 'Warning',
      reason: 'HandlerFellBack',
      action: 'Probe',
      note: `Pods that name no handler are run by ${chosen.name}: ${preferred.name} does not work on this node: ${preferred.reason}`,
    },
  ];
}

function few<T extends Matter>(matters: T[], all: T): T[] {
  return matters.length > SHOWN ? [all] : matters;
}

function debtName({ id, kind }: DaemonCensus['debts'][number]): string {
  return `${kind} ${id}`;
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}
