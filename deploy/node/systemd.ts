import { Fault } from '../../ground/fault.ts';
import type { BeforeChange } from './host-files.ts';
import type { HostPrograms } from './programs.ts';

/** What systemd says of a service (org.freedesktop.systemd1(5)). */
export interface UnitState {
  /** Whether systemd knows the unit. */
  known: boolean;
  /** `active`, `activating`, `inactive`, `failed`, … */
  active: string;
  mainPid: number;
  /** `success`, `exit-code`, `timeout`, `watchdog`, … */
  result: string;
}

/** The node's systemd, as far as the installer needs it. */
export interface HostSystemd {
  /** Reads all unit files anew. */
  reload(): Promise<void>;
  /** Each resolves when systemd is done with it. Rejects with Fault `unavailable` and what systemd says. */
  restart(unit: string, timeoutMs: number): Promise<void>;
  start(unit: string, timeoutMs: number): Promise<void>;
  stop(unit: string, timeoutMs: number): Promise<void>;
  /** Starts a unit and does not wait for it. */
  launch(unit: string): Promise<void>;
  state(unit: string): Promise<UnitState>;
  /** The end of what the unit wrote; empty when there is no journal. */
  lastWords(unit: string): Promise<string>;
}

const QUICK_MS = 30_000;

/** systemd through the node's own systemctl and journalctl. */
export class Systemctl implements HostSystemd {
  readonly #programs: HostPrograms;
  readonly #before: BeforeChange;

  constructor(programs: HostPrograms, before: BeforeChange = () => {}) {
    this.#programs = programs;
    this.#before = before;
  }

  reload(): Promise<void> {
    return this.#change(['daemon-reload'], QUICK_MS);
  }
  restart(unit: string, timeoutMs: number): Promise<void> {
    return this.#change(['restart', unit], timeoutMs);
  }
  start(unit: string, timeoutMs: number): Promise<void> {
    return this.#change(['start', unit], timeoutMs);
  }
  stop(unit: string, timeoutMs: number): Promise<void> {
    return this.#change(['stop', unit], timeoutMs);
  }
  launch(unit: string): Promise<void> {
    return this.#change(['start', '--no-block', unit], QUICK_MS);
  }

  async state(unit: string): Promise<UnitState> {
    const properties = ['LoadState', 'ActiveState', 'MainPID', 'Result'];
    const { stdout } = await this.#programs.run(
      ['systemctl', 'show', `--property=${properties.join(',')}`, unit],
      QUICK_MS,
    );
    const values = new Map(stdout.split('\n').map((line) => line.split(/=(.*)/s, 2) as [string, string]));
    return {
      known: values.get('LoadState') === 'loaded',
      active: values.get('ActiveState') ?? 'unknown',
      mainPid: Number(values.get('MainPID') ?? 0),
      result: values.get('Result') ?? '',
    };
  }

  async lastWords(unit: string): Promise<string> {
    try {
      const { stdout } = await this.#programs.run(
        ['journalctl', '--unit', unit, '--lines', '8', '--output', 'cat', '--no-pager', '--quiet'],
        QUICK_MS,
      );
      return stdout.trim();
    } catch (error) {
      if (error instanceof Fault) return ''; // a node without journalctl
      throw error;
    }
  }

  async #change(args: string[], timeoutMs: number): Promise<void> {
    this.#before(`systemctl ${args.join(' ')}`);
    const { code, stderr, late } = await this.#programs.run(['systemctl', ...args], timeoutMs);
    if (late)
      throw new Fault('unavailable', `systemctl ${args.join(' ')} took longer than ${timeoutMs / 1000} s`);
    if (code !== 0)
      throw new Fault('unavailable', `systemctl ${args.join(' ')} failed with ${code}`, {
        cause: stderr.trim() || undefined,
      });
  }
}
