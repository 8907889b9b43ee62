import { rmSync } from 'node:fs';
import { closeFd, OwnedFd, socketpair } from '../../native/fd.ts';
import { devNullFd } from '../../native/spawn.ts';
import { acceptUnix, listenUnix, receiveFd } from '../../native/unix-socket.ts';
import type { TerminalDoor } from './command-terminal.ts';

/** For the entry, which sends the master over what it has as standard streams. */
export class EntryDoor implements TerminalDoor {
  readonly theirs: readonly [number, number, number];
  readonly #ours: OwnedFd;
  readonly #theirs: OwnedFd;

  constructor() {
    const [ours, theirs] = socketpair();
    this.#ours = new OwnedFd(ours);
    this.#theirs = new OwnedFd(theirs);
    this.theirs = [theirs, theirs, theirs];
  }

  closeTheirs(): void {
    this.#theirs.close();
  }

  receive(): number | undefined {
    return receiveFd(this.#ours.fd);
  }

  [Symbol.dispose](): void {
    this.#theirs.close();
    this.#ours.close();
  }
}

/** For an OCI runtime, which connects to its `--console-socket` and sends the master there. */
export class RuntimeDoor implements TerminalDoor {
  readonly path: string;
  readonly #listener: OwnedFd;

  /** `path` has to be short (unix(7)), and free. */
  constructor(path: string) {
    this.path = path;
    this.#listener = new OwnedFd(listenUnix(path));
  }

  get theirs(): readonly [number, number, number] {
    return [devNullFd(), devNullFd(), devNullFd()];
  }

  closeTheirs(): void {}

  receive(): number | undefined {
    const connection = acceptUnix(this.#listener.fd);
    if (connection === undefined) return undefined;
    try {
      return receiveFd(connection);
    } finally {
      closeFd(connection);
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    rmSync(this.path, { force: true });
  }
}
