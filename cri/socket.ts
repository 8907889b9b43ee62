import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { Fault } from '../ground/fault.ts';

/** sockaddr_un.sun_path (unix(7)): 108 bytes with the NUL. */
const MAX_PATH_BYTES = 107;

/** The path in a listen address: `unix:///run/x.sock`, `unix:/run/x.sock` or the path alone. */
export function socketPath(listen: string): string {
  const path = listen.replace(/^unix:(\/\/)?/, '');
  if (!path.startsWith('/')) {
    throw new Fault('invalid', `${JSON.stringify(listen)} names no unix socket`, {
      hint: 'give an absolute path: unix:///run/berth/berth.sock',
    });
  }
  return path;
}

/** Whether somebody accepts connections on the socket at `path`. */
export function somebodyListens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', end(true)).once('error', end(false));
  });
}

/** A socket on its way to its final path. */
export interface SocketBirth {
  /** Where to listen for now: in a directory that only the owner can enter. */
  path: string;
  /** Gives it mode 0600 and its final name; a stale socket file there is replaced in the same step. */
  publish(): void;
  /** Takes the temporary directory away. */
  [Symbol.dispose](): void;
}

/**
 * Prepares a listener for `path`: makes its directory, and refuses when somebody listens there already (a stale file
 * is no hindrance). The socket is born under another name, so that nobody reaches it before its mode is right.
 */
export async function socketBirth(path: string): Promise<SocketBirth> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  if (await somebodyListens(path)) {
    throw new Fault('exists', `Another process already listens on ${path}`, {
      hint: 'stop it, or give this daemon another [cri] listen',
    });
  }
  const nursery = mkdtempSync(join(dirname(path), '.b'));
  const born = join(nursery, 's');
  if (Math.max(Buffer.byteLength(born), Buffer.byteLength(path)) > MAX_PATH_BYTES) {
    rmSync(nursery, { recursive: true });
    throw new Fault('invalid', `The socket path ${path} is too long for the kernel`, {
      hint: `unix socket paths end at ${MAX_PATH_BYTES} bytes, ${MAX_PATH_BYTES - 11} in this directory`,
    });
  }
  return {
    path: born,
    publish() {
      chmodSync(born, 0o600);
      renameSync(born, path);
    },
    [Symbol.dispose]() {
      rmSync(nursery, { recursive: true, force: true });
    },
  };
}
