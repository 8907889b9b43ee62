import * as fs from 'node:fs';
import { flushCompileCache } from 'node:module';
import { dirname } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { Fault, messageOf } from '../../ground/fault.ts';
import { syncfs } from '../../native/mount.ts';
import { lowerPriority } from '../../native/priority.ts';
import { adoptAttributes } from './implicit.ts';
import { recipeFile, type Failure, type Reply, type Request, type Settlement } from './protocol.ts';
import { UnpackJob } from './unpack-job.ts';

/** The worker's side of UnpackPool: unpacks layers with synchronous file system calls, away from the event loop. */

/** The event loop goes first (setpriority(2)): it answers the kubelet meanwhile. */
const NICE = 10;

// This thread's own part of the compile cache: it may be ended at any time.
flushCompileCache();

lowerPriority(NICE);

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
      send({ from: 'settled', job, failures: settleAll(request.settlements) });
      return;
    default:
      request satisfies never;
  }
}

/** Data first, then the names: after power loss a directory under its final name is whole. One sync serves them all. */
function settleAll(settlements: Settlement[]): (Failure | undefined)[] {
  const failures = settlements.map(({ directory, implicit, lower }) =>
    failureOf(() => adoptAttributes(directory, implicit, lower)),
  );
  const synced = failureOf(() => syncfs(settlements[0]!.directory));
  for (const [i, { directory, final, recipe }] of settlements.entries()) {
    failures[i] ??=
      synced ??
      failureOf(() => {
        if (recipe !== undefined) fs.renameSync(recipeFile(directory), recipe);
        fs.renameSync(directory, final);
      });
  }
  const parents = new Set(
    settlements.flatMap(({ final, recipe = final }) => [dirname(final), dirname(recipe)]),
  );
  const named = failureOf(() => parents.forEach(syncDirectory));
  return failures.map((failure) => failure ?? named);
}

function syncDirectory(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function failureOf(work: () => void): Failure | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return asFailure(error);
  }
}

function asFailure(error: unknown): Failure {
  return { kind: error instanceof Fault ? error.kind : 'internal', message: messageOf(error) };
}

function fail(job: number, error: unknown): void {
  jobs.get(job)?.abandon();
  jobs.delete(job);
  send({ from: 'failed', job, ...asFailure(error) });
}

function send(reply: Reply, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(reply, transfer);
}
