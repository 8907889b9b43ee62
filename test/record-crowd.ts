import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { RecordStore } from '../ground/records.ts';
import type { ContainerRecord } from '../pod/container.ts';
import type { SandboxRecord } from '../pod/sandbox.ts';
import type { TestNode } from './node.ts';

/** What `plantRecords` wrote. */
export interface PlantedRecords {
  sandbox: string;
  containers: string[];
}

/**
 * Writes the records of one stopped sandbox with `many` dead containers into the store of a node whose daemon is down;
 * `bytes` of annotations each. As the remains of a job that runs every minute.
 */
export function plantRecords(node: TestNode, many: number, bytes: number): PlantedRecords {
  using store = openStore(node);
  const sandbox = randomBytes(32).toString('hex');
  const containers = Array.from({ length: many }, () => randomBytes(32).toString('hex'));
  const now = BigInt(Date.now()) * 1_000_000n;
  store.records.transaction(() => {
    store.records.table<SandboxRecord>('sandboxes').put(sandbox, sandboxRecord(sandbox, now));
    const table = store.records.table<ContainerRecord>('containers');
    containers.forEach((id, attempt) => table.put(id, containerRecord(id, sandbox, attempt, bytes, now)));
  });
  return { sandbox, containers };
}

/** Takes planted records away again; the daemon is down. */
export function uprootRecords(node: TestNode, { sandbox, containers }: PlantedRecords): void {
  using store = openStore(node);
  store.records.transaction(() => {
    store.records.table('sandboxes').delete(sandbox);
    for (const id of containers) store.records.table('containers').delete(id);
  });
}

function openStore(node: TestNode): Disposable & { records: RecordStore } {
  const records = new RecordStore(join(node.root, 'berth.db'));
  return { records, [Symbol.dispose]: () => records.close() };
}

const NAMESPACES = { network: 'pod', pid: 'container', ipc: 'pod', targetId: '' } as const;
const SECURITY = {
  namespaces: NAMESPACES,
  readonlyRootfs: false,
  supplementalGroups: [],
  supplementalGroupsPolicy: 'merge',
  privileged: false,
} as const;

function sandboxRecord(id: string, now: bigint): SandboxRecord {
  return {
    id,
    handler: 'crun',
    phase: 'notready',
    released: true,
    createdAtNs: now,
    config: {
      metadata: { name: 'job', uid: id.slice(0, 8), namespace: 'default', attempt: 0 },
      hostname: 'job',
      logDirectory: '',
      portMappings: [],
      labels: {},
      annotations: {},
      cgroupParent: '',
      sysctls: {},
      security: { ...SECURITY, supplementalGroups: [] },
    },
  };
}

function containerRecord(
  id: string,
  sandboxId: string,
  attempt: number,
  bytes: number,
  now: bigint,
): ContainerRecord {
  return {
    id,
    sandboxId,
    handler: 'crun',
    phase: 'exited',
    imageId: 'sha256:0',
    imageRef: 'sha256:0',
    logPath: '',
    cgroupPath: `/absent/${id}`,
    user: { uid: 0, gid: 0, supplementalGroups: [] },
    stopSignal: 15,
    stopSignalName: 'SIGTERM',
    notes: [],
    createdAtNs: now,
    startedAtNs: now + 1n,
    finishedAtNs: now + 2n,
    exitCode: 0,
    reason: 'Completed',
    message: '',
    released: true,
    config: {
      metadata: { name: 'main', attempt },
      image: { image: 'sha256:0', annotations: {}, userSpecifiedImage: '', runtimeHandler: '' },
      command: ['true'],
      args: [],
      workingDir: '',
      envs: [],
      mounts: [],
      devices: [],
      cdiDevices: [],
      labels: { attempt: String(attempt) },
      annotations: { filling: 'x'.repeat(bytes) },
      logPath: '',
      stdin: false,
      stdinOnce: false,
      tty: false,
      security: {
        ...SECURITY,
        supplementalGroups: [],
        runAsUsername: '',
        noNewPrivs: false,
        maskedPaths: [],
        readonlyPaths: [],
      },
      stopSignal: '',
    },
  };
}
