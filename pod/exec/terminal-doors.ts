import { rmSync } from 'node:fs';
import { closeFd, OwnedFd, pipe2, socketpair } from '../../native/fd.ts';
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
  readonly theirs: readonly [number, number, number];
  readonly #listener: OwnedFd;
  /** Not the node's /dev/null: crun gives the standard streams to the command's user. */
  readonly #pipe: [OwnedFd, OwnedFd];

  /** `path` has to be short (unix(7)), and free. */
  constructor(path: string) {
    this.path = path;
    using undo = new DisposableStack();
    this.#listener = undo.use(new OwnedFd(listenUnix(path)));
    const [read, write] = pipe2();
    this.#pipe = [new OwnedFd(read), new OwnedFd(write)];
    this.theirs = [read, write, write];
    undo.move();
  }

  closeTheirs(): void {
    for (const end of this.#pipe) end.close();
  }

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
    this.closeTheirs();
    this.#listener.close();
    rmSync(this.path, { force: true });
  }
}
