import { Fault } from '../ground/fault.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { run } from '../native/run.ts';
import { findExecutable } from '../native/spawn.ts';

/** How long one run may wait for the lock of other writers (`-w`, seconds) and take in all. */
const LOCK_WAIT_S = 25;
const RUN_TIMEOUT_MS = 60_000;
/** iptables-save of a node with some 200,000 rules. */
const MAX_OUTPUT = 64 << 20;

/** What the rules of one address family are read and written with. A fake in tests keeps the text. */
export interface RuleTables {
  readonly family: 4 | 6;
  /** Applies a text in the format of iptables-save(8) to what is there: each table at once or not at all. */
  restore(text: string, signal?: AbortSignal): Promise<void>;
  /** All rules of one table, in the same format. */
  save(table: 'nat' | 'filter', signal?: AbortSignal): Promise<string>;
}

/**
 * Which of the programs: the ones that the node's `iptables` stands for, or by name those that keep rules in the kernel's
 * older tables (xtables, "legacy").
 */
export type IptablesVariant = 'default' | 'legacy';

/**
 * iptables or ip6tables of the network namespace that the process is in. Throws Fault `precondition` when the
 * programs are not installed, `unavailable` when another writer holds the lock, `internal` with their own words
 * for the rest.
 */
export class Iptables implements RuleTables {
  readonly family: 4 | 6;
  readonly #exits: ExitWatcher;
  readonly #variant: IptablesVariant;
  readonly #lockWaitS: number;

  /** `lockWaitS`: how long a run may wait for the lock of other writers, which the legacy variant alone has. */
  constructor(
    exits: ExitWatcher,
    family: 4 | 6,
    variant: IptablesVariant = 'default',
    lockWaitS = LOCK_WAIT_S,
  ) {
    this.#exits = exits;
    this.family = family;
    this.#variant = variant;
    this.#lockWaitS = lockWaitS;
  }

  async restore(text: string, signal?: AbortSignal): Promise<void> {
    await this.#run('restore', ['--noflush', '-w', String(this.#lockWaitS)], text, signal);
  }

  async save(table: 'nat' | 'filter', signal?: AbortSignal): Promise<string> {
    return await this.#run('save', ['-t', table], '', signal);
  }

  async #run(verb: 'save' | 'restore', args: string[], stdin: string, signal?: AbortSignal): Promise<string> {
    const program = `${programName(this.family, this.#variant)}-${verb}`;
    const path = findExecutable(program);
    if (path === undefined)
      throw new Fault('precondition', `${program} is not installed`, {
        hint: 'the configured [network] firewall needs it: apt install iptables',
      });
    const result = await run(this.#exits, {
      path,
      argv: [program, ...args],
      stdin: Buffer.from(stdin),
      maxOutput: MAX_OUTPUT,
      timeoutMs: RUN_TIMEOUT_MS,
      signal,
    });
    if (result.killed === 'abort') signal?.throwIfAborted();
    if (result.killed === 'timeout')
      throw new Fault('unavailable', `${program} took more than ${RUN_TIMEOUT_MS / 1000} s and was killed`);
    if (result.code === 0 && !result.truncated) return result.stdout.toString();
    const said = result.stderr.toString().trim().slice(0, 2000);
    if (/xtables lock|Resource temporarily unavailable/.test(said))
      throw new Fault('unavailable', `${program} found the rules locked by another program`, {
        cause: said,
        hint: `it waited ${this.#lockWaitS} s for /run/xtables.lock: find out who holds it (fuser /run/xtables.lock)`,
      });
    if (/Table does not exist|can't initialize ip6?tables table/.test(said))
      throw new Fault('precondition', `the kernel has no tables for ${program}`, {
        cause: said,
        hint: 'modprobe iptable_nat and ip6table_nat, or set [network] firewall to another one',
      });
    throw new Fault('internal', `${program} failed with code ${result.code}`, { cause: said });
  }
}

/** `iptables`, `ip6tables-legacy`, …: what the names of the programs begin with. */
export function programName(family: 4 | 6, variant: IptablesVariant): string {
  return `${family === 4 ? 'iptables' : 'ip6tables'}${variant === 'legacy' ? '-legacy' : ''}`;
}
