import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeCgroups } from '../node-space.ts';

/** Names the directory that the first life of this process made for its second. */
const HANDED_OVER = 'BERTH_BENCH_DIRECTORY';

/**
 * The run's own directory and cgroup. The process goes on in a copy of its Node: else it would share the pages of
 * Node's program file with Berth's daemon, whose proportional set size would look smaller than it is.
 */
export class OwnGround {
  readonly directory: string;
  readonly #cgroup = `/berth-bench-${randomBytes(3).toString('hex')}`;
  #places = 0;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes the directory; returns in the copied Node only. */
  static open(): OwnGround {
    const handed = process.env[HANDED_OVER];
    if (handed !== undefined) {
      delete process.env[HANDED_OVER];
      return new OwnGround(handed);
    }
    const directory = mkdtempSync(join(tmpdir(), 'berth-bench-'));
    try {
      const node = join(directory, 'node');
      copyFileSync(process.execPath, node);
      const argv = [node, ...process.execArgv, ...process.argv.slice(1)];
      return process.execve!(node, argv, { ...process.env, [HANDED_OVER]: directory });
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * A new directory and cgroup path for one node. The directory's blocks lie apart from those of its neighbours
   * (`chattr +T`), because ext4 is slow for minutes where many files were deleted.
   */
  place(name: string): { directory: string; cgroup: string } {
    const parent = join(this.directory, 'nodes');
    if (this.#places === 0) {
      mkdirSync(parent);
      spreadDirectories(parent);
    }
    const id = `${++this.#places}-${name}`;
    return { directory: join(parent, id), cgroup: `${this.#cgroup}/${id}` };
  }

  /** Removes cgroup and directory. */
  close(): void {
    removeCgroups(this.#cgroup);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function spreadDirectories(directory: string): void {
  try {
    execFileSync('chattr', ['+T', directory], { stdio: 'ignore' });
  } catch {
    // not ext4: there is nothing to spread
  }
}
