import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { Fault, messageOf } from '../../ground/fault.ts';
import { inStages } from '../../ground/progress.ts';
import { isErrno } from '../../native/errno.ts';
import { freezeCgroup, thawCgroup } from '../cgroup/freeze.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import { writeCheckpointArchive, writeRootfsDiff } from './archive.ts';
import { criuErrors } from './criu.ts';
import type { CheckpointedContainer } from './metadata.ts';

/** Where the caller names none. A container of much memory takes its time. */
const DEFAULT_TIMEOUT_SECONDS = 600;

/**
 * CheckpointContainer: writes the state of a running container to an archive at `location` (an absolute path of the
 * node); the container runs on. `timeoutSeconds` 0: ten minutes. The work is criu's, by the OCI runtime. When it fails,
 * the container is as it was, and nothing stands at `location`.
 * Throws `precondition` when the container does not run, or criu or the runtime cannot do that on this node, `invalid`
 * for a location that cannot be, `deadline` when the time is over.
 */
export async function checkpointContainer(
  parts: Parts,
  id: string,
  location: string,
  timeoutSeconds: number,
  signal?: AbortSignal,
): Promise<void> {
  const container = parts.containers.find(id);
  requireRunning(container);
  await requirePlace(location, container.subject);
  const seconds = timeoutSeconds > 0 ? timeoutSeconds : DEFAULT_TIMEOUT_SECONDS;
  const limit = AbortSignal.timeout(seconds * 1000);
  const either = AbortSignal.any([limit, ...(signal === undefined ? [] : [signal])]);
  if (container.record.checkpointing === true)
    throw new Fault('precondition', 'A checkpoint of it is being made already', {
      subject: container.subject,
    });
  setCheckpointing(parts, container, true);
  try {
    await inStages(parts.stages, 'CheckpointContainer', container.id, container.subject, async (at) => {
      const directory = await at.stage('checkpoint', () => dump(parts, container, either));
      try {
        await at.stage('archive', () =>
          writeCheckpointArchive(
            parts.exits,
            directory,
            {
              config: describe(parts, container),
              spec: readFileSync(join(parts.paths.bundle(container.id), 'config.json')),
              location,
            },
            either,
          ),
        );
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    });
  } catch (error) {
    if (!limit.aborted || signal?.aborted === true) throw error;
    throw new Fault('deadline', `The checkpoint was not made within ${seconds} s`, {
      subject: container.subject,
      cause: error,
    });
  } finally {
    setCheckpointing(parts, container, false);
  }
}

/** On the record: a daemon that comes back finds what stands still. */
function setCheckpointing(parts: Parts, { record }: Container, on: boolean): void {
  if (on) record.checkpointing = true;
  else delete record.checkpointing;
  if (parts.containers.lookup(record.id) !== undefined) parts.containerRecords.put(record.id, record);
}

/**
 * Lets criu write the processes, and keeps them frozen until their files are written as well: what a process has open
 * has to be as it remembers it. Resolves with a directory that holds both; the container runs on by then.
 */
async function dump(parts: Parts, container: Container, signal: AbortSignal): Promise<string> {
  const criu = await parts.criu.require();
  signal.throwIfAborted();
  // Beside the writable layer: memory does not belong into the state directory, which most nodes keep in memory.
  const directory = parts.images.snapshots.scratch(container.id, 'checkpoint');
  const { runtime } = parts.handlers.pick(container.record.handler);
  const images = join(directory, 'checkpoint');
  try {
    mkdirSync(images, { mode: 0o700 });
    await freezeCgroup(container.record.cgroupPath, signal);
    await runtime.checkpoint(container.id, { criu, images, work: directory }, signal);
    const { snapshots } = parts.images;
    const layers = { upper: snapshots.writable(container.id), lower: snapshots.lower(container.id) };
    await writeRootfsDiff(parts.exits, directory, layers, signal);
    return directory;
  } catch (error) {
    const words = criuErrors(logOf(directory));
    rmSync(directory, { recursive: true, force: true });
    if (signal.aborted || words === '') throw error;
    // The log that it names is gone by now.
    throw new Fault('internal', `${messageOf(error).replace(/\nlog file: .*/, '')}: ${words}`);
  } finally {
    thawCgroup(container.record.cgroupPath);
  }
}

function logOf(directory: string): string {
  try {
    return readFileSync(join(directory, 'dump.log'), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}

function describe(parts: Parts, { record }: Container): CheckpointedContainer {
  const { metadata, image } = record.config;
  const time = (ns: bigint): string => new Date(Number(ns / 1_000_000n)).toISOString();
  return {
    id: record.id,
    name: metadata.name,
    rootfsImage: image.image,
    rootfsImageRef: record.imageRef,
    rootfsImageName: image.image,
    runtime: parts.handlers.pick(record.handler).runtime.name,
    createdTime: time(record.createdAtNs),
    checkpointedTime: time(parts.clock.nowNs()),
    restored: false,
  };
}

function requireRunning({ record, state, subject }: Container): void {
  if (record.phase === 'running') return;
  throw new Fault('precondition', `It is ${state}, and only a running container has something to write`, {
    subject,
  });
}

async function requirePlace(location: string, subject: string): Promise<void> {
  if (!isAbsolute(location) || location.endsWith('/'))
    throw new Fault('invalid', `${JSON.stringify(location)} is no absolute path of a file`, { subject });
  const above = await stat(dirname(location)).catch(() => undefined); // whatever is wrong with it
  if (above?.isDirectory() !== true)
    throw new Fault('invalid', `The directory of ${JSON.stringify(location)} does not exist`, { subject });
}
