import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordStore } from '../ground/records.ts';
import { mounts } from '../native/mountinfo.ts';
import { processAlive } from '../native/pidfd.ts';
import { checkContainerRecord } from './container.ts';
import type { DebtRecord } from './debts.ts';
import { PodPaths } from './paths.ts';
import { checkSandboxRecord } from './sandbox.ts';

/** Something in which records and kernel do not agree. */
export interface PodFinding {
  kind: 'sandbox' | 'container' | 'snapshot' | 'orphan' | 'debt' | 'record';
  /** The object's id, or a path. */
  id: string;
  problem: string;
}

const ID = /^[0-9a-f]{64}$/;
const ID_LENGTH = 64;

/**
 * Compares the records of pods with processes, mounts and files. Reads, and changes nothing but that records which
 * cannot be read are set aside. `running`: a daemon works on these records just now, so that what is half made is none
 * of our business.
 */
export function checkPods(records: RecordStore, state: string, running: boolean): PodFinding[] {
  const paths = new PodPaths(state);
  const sandboxes = records.table('sandboxes', checkSandboxRecord).all();
  const containers = records.table('containers', checkContainerRecord).all();
  const findings: PodFinding[] = records.quarantined.map(({ kind, id, reason }) => ({
    kind: 'record',
    id: `${kind}/${id}`,
    problem: `it cannot be read and was set aside: ${reason}`,
  }));
  for (const { id, value } of sandboxes) {
    if (value.phase === 'creating' && !running)
      findings.push({ kind: 'sandbox', id, problem: 'it was being made when the daemon ended' });
    const pause = value.made;
    if (value.phase === 'ready' && pause !== undefined && !processAlive(pause.pid, pause.startTime))
      findings.push({ kind: 'sandbox', id, problem: `it is ready, and its process ${pause.pid} is gone` });
  }
  const sandboxIds = new Set(sandboxes.map(({ id }) => id));
  const snapshotIds = new Set(
    records
      .table('snapshots')
      .all()
      .map(({ id }) => id),
  );
  for (const { id, value } of containers) {
    if (!sandboxIds.has(value.sandboxId))
      findings.push({ kind: 'container', id, problem: `its sandbox ${value.sandboxId} has no record` });
    if (value.phase === 'creating') {
      if (!running)
        findings.push({ kind: 'container', id, problem: 'it was being made when the daemon ended' });
      continue;
    }
    // One that has ended may have been on its way out, on which the layer goes first.
    if (value.phase !== 'exited' && !snapshotIds.has(id))
      findings.push({ kind: 'container', id, problem: 'its writable layer has no record' });
    const init = value.monitored?.init;
    if (value.phase === 'running' && init !== undefined && !processAlive(init.pid, init.startTime))
      findings.push({ kind: 'container', id, problem: `it is running, and its process ${init.pid} is gone` });
  }
  const containerIds = new Set(containers.map(({ id }) => id));
  for (const id of snapshotIds) {
    // Volumes of a container have names that begin with its id.
    if (!containerIds.has(id.slice(0, ID_LENGTH)))
      findings.push({ kind: 'snapshot', id, problem: 'a writable layer whose container has no record' });
  }
  const known = new Set([...sandboxIds, ...containerIds]);
  findings.push(...orphanFiles(paths, known), ...orphanMounts(state, known), ...openDebts(records));
  return findings;
}

function orphanFiles(paths: PodPaths, known: ReadonlySet<string>): PodFinding[] {
  const directories = [paths.sandboxes, paths.netns, paths.containers, paths.pauses, paths.exits];
  return directories.filter(existsSync).flatMap((directory) =>
    readdirSync(directory).flatMap((name): PodFinding[] => {
      if (!ID.test(name) || known.has(name)) return [];
      return [{ kind: 'orphan', id: join(directory, name), problem: 'no record names it' }];
    }),
  );
}

function orphanMounts(state: string, known: ReadonlySet<string>): PodFinding[] {
  return mounts().flatMap(({ target }): PodFinding[] => {
    if (!target.startsWith(`${state}/`)) return [];
    const id = target.split('/').find((part) => ID.test(part));
    if (id === undefined || known.has(id)) return [];
    return [{ kind: 'orphan', id: target, problem: 'a mount that no record names' }];
  });
}

function openDebts(records: RecordStore): PodFinding[] {
  return records
    .table<DebtRecord>('debts')
    .all()
    .map(({ value: { owner, kind, tries, lastError } }) => ({
      kind: 'debt',
      id: owner,
      problem: `${kind} could not be given back in ${tries} tries: ${lastError}`,
    }));
}
