import { readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import type { RecordStore, RecordTable } from '../ground/records.ts';
import { isErrno } from '../native/errno.ts';
import { mounts } from '../native/mount.ts';
import type { ProbeResult } from './handler-probe.ts';
import type { OciRuntime } from './oci-runtime.ts';

/** All that a runtime's answer depends on, as far as it can be looked up in a moment. */
export interface Circumstances {
  bootId: string;
  /** Version of Berth. */
  berth: string;
  cgroupDriver: string;
  cgroupParent: string;
  /** A directory that lets nobody but root through to the state directory; empty without one. */
  closed: string;
}

interface Remembered {
  circumstances: string;
  result: ProbeResult;
}

/**
 * What trying out the OCI runtimes found, kept over restarts of the daemon: the same program under the same
 * circumstances is not tried again, so that a node whose daemon is restarted never looks as if it could run nothing.
 * A runtime that could not be used is always tried again.
 */
export class ProbeMemory {
  readonly #table: RecordTable<Remembered>;
  readonly #common: Record<string, unknown>;

  constructor(records: RecordStore, circumstances: Circumstances) {
    this.#table = records.table<Remembered>('handler-trials');
    this.#common = {
      ...circumstances,
      kernel: release(),
      // Hybrid hosts show another set of trees to some mount namespaces than to others.
      cgroups: mounts().flatMap(({ target, fstype }) =>
        fstype.startsWith('cgroup') ? [`${fstype} ${target}`] : [],
      ),
      userNamespaces: readOrNone('/proc/sys/user/max_user_namespaces'),
      // Changes with the libraries that a runtime loads (ldconfig(8)).
      libraries: identityOf('/etc/ld.so.cache'),
    };
  }

  /** What was found out about this very program under these very circumstances. */
  recall(runtime: Pick<OciRuntime, 'name' | 'path'>): ProbeResult | undefined {
    const remembered = this.#table.get(runtime.name);
    if (remembered?.circumstances !== this.#circumstances(runtime)) return undefined;
    return remembered.result;
  }

  /** Keeps what was found out, when it is good news. */
  keep(runtime: Pick<OciRuntime, 'name' | 'path'>, result: ProbeResult): void {
    if (!result.usable) return this.#table.delete(runtime.name);
    const { version, usable, reason, features, noUserNamespaces } = result;
    this.#table.put(runtime.name, {
      circumstances: this.#circumstances(runtime),
      result: { version, usable, reason, features, noUserNamespaces },
    });
  }

  #circumstances({ path }: Pick<OciRuntime, 'path'>): string {
    return JSON.stringify({ ...this.#common, path, program: identityOf(path) });
  }
}

/** Changes when the file does; empty when there is none. */
function identityOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
}

function readOrNone(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}
