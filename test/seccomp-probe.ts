import { execFileSync } from 'node:child_process';
import { createServer, connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import koffi from 'koffi';

/**
 * Runs inside a container whose filter is under test: does ordinary work of a large program (threads, children,
 * sockets, timers), then makes calls by their number, and prints what the kernel answered as JSON.
 */
const syscall = koffi
  .load('libc.so.6')
  .func('long syscall(long number, long a, long b, long c, long d, long e)') as (...args: number[]) => number;

/** Numbers of x86_64 (asm/unistd_64.h). Arguments are such that no call does anything even when it is allowed. */
const CALLS: Record<string, number[]> = {
  mount: [165, 0, 0, 0, 0, 0],
  unshare: [272, 0x4000_0000],
  'clone with a new user namespace': [56, 0x1000_0000],
  clone3: [435, 0, 0],
  keyctl: [250, 99],
  io_uring_setup: [425, 0, 0],
  bpf: [321, 99],
  'socket AF_VSOCK': [41, 40, 1, 0],
  'socket AF_ALG': [41, 38, 5, 0],
  'socket AF_VSOCK with high bits': [41, 2 ** 32 + 40, 1, 0],
  'personality without randomisation': [135, 0x4_0000],
  'a call of the future': [4000],
};

function errnoOf(args: number[]): number {
  const result = syscall(args[0]!, ...[1, 2, 3, 4, 5].map((index) => args[index] ?? 0));
  return result < 0 ? koffi.errno() : 0;
}

const server = createServer((socket) => socket.end('hello'));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = server.address();
const port = typeof address === 'object' && address !== null ? address.port : 0;
const heard = await new Promise<string>((resolve, reject) => {
  connect(port, '127.0.0.1', function (this: ReturnType<typeof connect>) {
    this.setEncoding('utf8').once('data', (data) => resolve(String(data)));
  }).once('error', reject);
});
server.close();
const fromThread = await new Promise((resolve) => {
  new Worker('require("node:worker_threads").parentPort.postMessage("thread")', { eval: true }).once(
    'message',
    resolve,
  );
});
const fromChild = execFileSync('/bin/sh', ['-c', 'echo child | cat'], { encoding: 'utf8' }).trim();
const errnos = Object.fromEntries(Object.entries(CALLS).map(([name, args]) => [name, errnoOf(args)]));
console.log(JSON.stringify({ heard, fromThread, fromChild, errnos }));
