import { nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';
import { oomKills } from './oom.ts';
import { podOfContainer } from './scope.ts';

/** The containers below one cgroup. */
interface Account {
  /** Kills below it that are no living container's: of those that ended, and of before. */
  settled: number;
  living: Map<string, string>;
}

/**
 * How often the kernel killed in containers whose cgroups vanish with their last process, as systemd removes a scope,
 * before anybody could read their count. The cgroup above counts what happens below it and keeps the number
 * (cgroup-v2.rst, memory.events): what it has more than the living containers and those that ended before is the
 * ended container's. Nothing is polled; two small files are read when a container begins and ends.
 *
 * For cgroup v2 alone: v1 counts for each cgroup by itself.
 */
export class OomLedger {
  readonly #accounts = new Map<string, Account>();
  readonly #hierarchy: CgroupHierarchy;

  constructor(hierarchy: CgroupHierarchy = nodeHierarchy()) {
    this.#hierarchy = hierarchy;
  }

  /** A container lives, from now on or since an earlier run of the daemon. `path` is its cgroup. */
  enter(id: string, path: string): void {
    const above = podOfContainer(path);
    const own = this.#kills(path) ?? 0;
    let account = this.#accounts.get(above);
    if (account === undefined) {
      account = { settled: this.#kills(above) ?? 0, living: new Map() };
      this.#accounts.set(above, account);
    }
    account.settled -= own;
    account.living.set(id, path);
  }

  /**
   * A container has ended: how often the kernel killed in it. What its vanished cgroup does not tell any more is all its
   * own when no other has vanished meanwhile. When several have, only those that ended by SIGKILL (`killed`) are
   * blamed, and each gets one kill first.
   */
  leave(id: string, path: string, killed: boolean): number {
    const above = podOfContainer(path);
    const account = this.#accounts.get(above);
    const own = this.#kills(path);
    if (account?.living.delete(id) !== true) return own ?? 0;
    const kills = own ?? this.#unexplained(above, account, killed);
    account.settled += kills;
    if (account.living.size === 0) this.#accounts.delete(above);
    return kills;
  }

  #unexplained(above: string, { settled, living }: Account, killed: boolean): number {
    const all = this.#kills(above);
    if (all === undefined) return 0;
    const counts = [...living.values()].map((path) => this.#kills(path));
    const vanished = counts.filter((count) => count === undefined).length;
    const rest = all - settled - counts.reduce((sum: number, count) => sum + (count ?? 0), 0);
    if (rest <= 0 || vanished === 0) return Math.max(0, rest);
    return killed ? Math.max(1, rest - vanished) : 0;
  }

  #kills(path: string): number | undefined {
    return oomKills(path, this.#hierarchy);
  }
}
