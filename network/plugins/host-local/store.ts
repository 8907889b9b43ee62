import {
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import ipaddr from 'ipaddr.js';
import { CNI_ERROR, PluginError } from '../../../cni/plugin-error.ts';
import { isErrno } from '../../../native/errno.ts';
import { lockFile } from '../../../native/flock.ts';

/** How long one waits for another user of the directory. */
const LOCK_PATIENCE_MS = 10_000;
const LINE_BREAK = '\r\n';
const LAST = 'last_reserved_ip.';

/**
 * The addresses of one network, in the files that the reference host-local plugin keeps: `dataDir/<network>/<address>`
 * holds the owner (container id, line break, interface name), `last_reserved_ip.<set>` the last address that was
 * given from a set, `lock` is locked by flock(2) while anybody looks or writes. So both plugins can share a node.
 */
export class AddressFiles implements Disposable {
  readonly #directory: string;
  readonly #lock: Disposable;

  private constructor(directory: string, lock: Disposable) {
    this.#directory = directory;
    this.#lock = lock;
  }

  /** Opens and locks the network's directory, which is made when it is missing. Throws PluginError. */
  static async open(dataDir: string, network: string, signal?: AbortSignal): Promise<AddressFiles> {
    const directory = join(dataDir, network);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o755 });
      return new AddressFiles(directory, await lockFile(join(directory, 'lock'), LOCK_PATIENCE_MS, signal));
    } catch (error) {
      signal?.throwIfAborted();
      const busy = isErrno(error, 'EAGAIN');
      throw new PluginError(
        'host-local',
        busy ? CNI_ERROR.tryAgainLater : CNI_ERROR.io,
        busy ? `${directory} is locked by another program` : `${directory} cannot be used`,
        String(error),
      );
    }
  }

  /** Takes the address for the owner; false when somebody has it. */
  reserve(address: string, containerId: string, ifName: string, set: number): boolean {
    const path = join(this.#directory, address);
    let file: number;
    try {
      file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    } catch (error) {
      if (isErrno(error, 'EEXIST')) return false;
      throw error;
    }
    using undo = new DisposableStack();
    undo.defer(() => rmSync(path, { force: true }));
    try {
      writeFileSync(file, containerId + LINE_BREAK + ifName);
    } finally {
      closeSync(file);
    }
    this.#remember(address, set);
    undo.move();
    return true;
  }

  /** The address that was given last from this set. */
  last(set: number): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
    try {
      const text = readFileSync(join(this.#directory, `${LAST}${set}`), 'utf8').trim();
      return ipaddr.isValid(text) ? ipaddr.parse(text) : undefined;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** The addresses that an owner has. */
  of(containerId: string, ifName: string): string[] {
    const owner = containerId + LINE_BREAK + ifName;
    return this.all()
      .filter(({ owner: found }) => found === owner || found === containerId)
      .map(({ address }) => address);
  }

  /** Every address that is taken, and by whom. */
  all(): { address: string; owner: string }[] {
    return readdirSync(this.#directory)
      .filter((name) => ipaddr.isValid(name))
      .map((address) => ({ address, owner: readFileSync(join(this.#directory, address), 'utf8').trim() }));
  }

  /** Gives an address back. */
  release(address: string): void {
    rmSync(join(this.#directory, address), { force: true });
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }

  #remember(address: string, set: number): void {
    // Written in place: for a file that is truncated or replaced, file systems wait for the disk. One that a crash has
    // left half written says nothing, and the search begins anew.
    const path = join(this.#directory, `${LAST}${set}`);
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      ftruncateSync(file, writeSync(file, address, 0));
    } finally {
      closeSync(file);
    }
  }
}
