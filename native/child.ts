import type { ExitStatus, ExitWatcher } from './exits.ts';
import { spawnInPool, type SpawnOptions } from './spawn.ts';

/** A child that is watched from its first moment on. */
export interface Child {
  pid: number;
  exited: Promise<ExitStatus>;
}

/**
 * Starts a child on a thread of the pool, without a wait of the event loop. The file descriptors stay the caller's and
 * have to stay open until this settles. Rejects as `spawn` throws.
 */
export async function startChild(exits: ExitWatcher, options: SpawnOptions): Promise<Child> {
  // It may end before this thread knows of it.
  using _ = exits.expectOrphan();
  const pid = await spawnInPool(options);
  return { pid, exited: exits.watch(pid) };
}
