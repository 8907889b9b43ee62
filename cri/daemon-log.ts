import type { Log } from '../ground/log.ts';

/** The daemon's log, with a level that can change while it runs. */
export interface DaemonLog extends Log {
  level: string;
  /** Writes what waits: before the end. */
  flush(): void;
}
