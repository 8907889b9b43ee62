import { readSync, closeSync, fstatSync } from 'node:fs';
import koffi from 'koffi';
import { JournalDatagrams } from '../native/journal-socket.ts';

const libc = koffi.load(null);
const socket = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, const void *address, unsigned int size)');
const recvmsg = libc.func('long recvmsg(int fd, void *message, int flags)');
const close = libc.func('int close(int fd)');

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT = 0x40;
const SIZE = 256 * 1024;

/**
 * A unix datagram socket that receives, in the place of a service manager or of the journal. What comes as a descriptor
 * (large entries of the journal) is read from it.
 */
export class Datagrams implements Disposable {
  /** What came, in order. */
  readonly received: Buffer[] = [];
  /** How many of them came as a descriptor. */
  passed = 0;
  readonly #fd: number;
  #timer: NodeJS.Timeout | undefined;

  /** `address` is a path, or an abstract name behind `@`. */
  constructor(address: string) {
    this.#fd = (socket as (...args: number[]) => number)(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    const name = Buffer.from(address);
    const bytes = Buffer.alloc(2 + name.length + (address.startsWith('@') ? 0 : 1));
    bytes.writeUInt16LE(AF_UNIX, 0);
    name.copy(bytes, 2);
    if (address.startsWith('@')) bytes[2] = 0;
    const result = (bind as (fd: number, bytes: Buffer, size: number) => number)(
      this.#fd,
      bytes,
      bytes.length,
    );
    if (result !== 0) throw new Error(`bind ${address}: errno ${koffi.errno()}`);
    this.resume();
  }

  /** What came, as text. */
  get texts(): string[] {
    return this.received.map((bytes) => bytes.toString());
  }

  /** Reads no more: the queue of the socket fills. */
  pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  resume(): void {
    this.#timer ??= setInterval(() => this.drain(), 5);
  }

  /** Reads what is there now. */
  drain(): void {
    while (this.#receive());
  }

  /** Resolves when `found` says so of what came; rejects with all of it after `ms`. */
  async until<T>(found: (texts: string[]) => T | undefined | false, ms = 20_000): Promise<T> {
    for (const begun = performance.now(); performance.now() - begun < ms;) {
      const result = found(this.texts);
      if (result !== undefined && result !== false) return result;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`It did not come within ${ms} ms; what came:\n${this.texts.join('\n---\n')}`);
  }

  [Symbol.dispose](): void {
    this.pause();
    (close as (fd: number) => number)(this.#fd);
  }

  #receive(): boolean {
    const data = Buffer.alloc(SIZE);
    const vector = Buffer.alloc(16);
    vector.writeBigUInt64LE(koffi.address(data), 0);
    vector.writeBigUInt64LE(BigInt(SIZE), 8);
    const control = Buffer.alloc(64);
    const header = Buffer.alloc(56);
    header.writeBigUInt64LE(koffi.address(vector), 16);
    header.writeBigUInt64LE(1n, 24);
    header.writeBigUInt64LE(koffi.address(control), 32);
    header.writeBigUInt64LE(BigInt(control.length), 40);
    const size = (recvmsg as (fd: number, header: Buffer, flags: number) => number)(
      this.#fd,
      header,
      MSG_DONTWAIT,
    );
    if (size < 0) return false;
    const withDescriptor = header.readBigUInt64LE(40) >= 20n && control.readInt32LE(12) === 1;
    this.received.push(withDescriptor ? contents(control.readInt32LE(16)) : data.subarray(0, size));
    if (withDescriptor) this.passed++;
    return true;
  }
}

/** The way to a journal that listens at `path`, as the daemon has it. */
export function journalSocket(path: string): JournalDatagrams {
  return new JournalDatagrams(path);
}

function contents(fd: number): Buffer {
  try {
    const bytes = Buffer.alloc(fstatSync(fd).size);
    readSync(fd, bytes, 0, bytes.length, 0);
    return bytes;
  } finally {
    closeSync(fd);
  }
}
