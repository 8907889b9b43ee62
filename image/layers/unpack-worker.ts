import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { Fault, messageOf } from '../../ground/fault.ts';
import { syncfs } from '../../native/mount.ts';
import { adoptAttributes } from './implicit.ts';
import type { Reply, Request, Settlement } from './protocol.ts';
import { UnpackJob } from './unpack-job.ts';

/** The worker's side of UnpackPool: unpacks layers with synchronous file system calls, away from the event loop. */

const jobs = new Map<number, UnpackJob>();

parentPort?.on('message', (request: Request) => {
  const { job } = request;
  try {
    serve(request);
  } catch (error) {
    fail(job, error);
  }
});

function serve(request: Request): void {
  const { job } = request;
  switch (request.to) {
    case 'open':
      jobs.set(
        job,
        new UnpackJob(request.directory, request.limits, request.diffAlgorithm, (error) => fail(job, error)),
      );
      return;
    case 'write': {
      const { buffer, length } = request;
      const consumed = (): void => send({ from: 'consumed', job, buffer }, [buffer]);
      const running = jobs.get(job);
      if (running === undefined) consumed();
      else running.write(Buffer.from(buffer, 0, length), consumed);
      return;
    }
    case 'end':
      jobs.get(job)?.end((layer) => {
        jobs.delete(job);
        send({ from: 'unpacked', job, layer });
      });
      return;
    case 'abandon':
      jobs.get(job)?.abandon();
      jobs.delete(job);
      return;
    case 'settle':
      settle(request);
      send({ from: 'settled', job });
      return;
    default:
      request satisfies never;
  }
}

/** Data first, then the name: after power loss a directory under its final name is whole. */
function settle({ directory, final, implicit, lower }: Settlement): void {
  adoptAttributes(directory, implicit, lower);
  syncfs(directory);
  fs.renameSync(directory, final);
  const parent = fs.openSync(dirname(final), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(parent);
  } finally {
    fs.closeSync(parent);
  }
}

function fail(job: number, error: unknown): void {
  jobs.get(job)?.abandon();
  jobs.delete(job);
  const kind = error instanceof Fault ? error.kind : 'internal';
  send({ from: 'failed', job, kind, message: messageOf(error) });
}

function send(reply: Reply, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(reply, transfer);
}
