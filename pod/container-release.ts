import { rmdirSync, rmSync } from 'node:fs';
import { isErrno } from '../native/errno.ts';
import { processAlive } from '../native/pidfd.ts';
import { killCgroup } from './cgroup/kill.ts';
import type { Container } from './container.ts';
import { releaseImageVolumes } from './image-volumes.ts';
import type { Parts } from './parts.ts';
import type { Sandbox } from './sandbox.ts';
import { releaseMappedVolumes } from './userns/mapped-volumes.ts';

/** The kinds of debts that giving a container back can leave. */
export const CONTAINER_DEBTS = {
  kill: 'container-kill',
  runtime: 'container-runtime',
  rootfs: 'container-rootfs',
} as const;

interface RuntimeDebt {
  handler: string;
  cgroupPath: string;
  force: boolean;
}

/** Names the payers of a container's debts. */
export function registerContainerDebts(parts: Parts): void {
  parts.debts.register(CONTAINER_DEBTS.runtime, async (detail, id) => {
    const { handler, cgroupPath, force } = detail as RuntimeDebt;
    await killCgroup(cgroupPath);
    await parts.handlers.get(handler)?.runtime.delete(id, { force });
  });
  parts.debts.register(CONTAINER_DEBTS.kill, (detail) =>
    killCgroup((detail as { cgroupPath: string }).cgroupPath),
  );
  parts.debts.register(CONTAINER_DEBTS.rootfs, (_detail, id) => releaseRootfs(parts, id));
}

/** The OCI runtime's half of a release: processes that outlived their first, the cgroup, the runtime's record. */
export async function releaseRuntime(parts: Parts, container: Container): Promise<void> {
  const { record } = container;
  const init = record.monitored?.init;
  const force = init === undefined || processAlive(init.pid, init.startTime);
  await parts.debts.payOrOwe(CONTAINER_DEBTS.runtime, record.id, {
    handler: record.handler,
    cgroupPath: record.cgroupPath,
    force,
  } satisfies RuntimeDebt);
  record.released = true;
}

/** Mounts, writable layer, bundle and hold on the image. */
async function releaseRootfs(parts: Parts, id: string): Promise<void> {
  releaseMappedVolumes(parts.paths.mappedVolumes(id));
  const rootfs = parts.paths.rootfs(id);
  await parts.images.snapshots.unmount(rootfs);
  try {
    // Fails while something is still mounted there: then nothing below it must be deleted.
    rmdirSync(rootfs);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  await releaseImageVolumes(parts, id);
  rmSync(parts.paths.bundle(id), { recursive: true, force: true });
  parts.images.snapshots.remove(id);
  parts.images.release(id);
}

/** Gives back all that a container holds; what fails becomes a debt. Never rejects; finds nothing to do the second time. */
export async function releaseContainer(parts: Parts, container: Container): Promise<void> {
  await container.releasing;
  if (!container.record.released) await releaseRuntime(parts, container);
  await parts.debts.payOrOwe(CONTAINER_DEBTS.rootfs, container.id, {});
}

/** The last step of a container's way out: no record, no name, nobody finds it any more. */
export function forgetContainer(parts: Parts, sandbox: Sandbox | undefined, id: string): void {
  parts.monitor.forget(id);
  parts.containerRecords.delete(id);
  parts.containers.delete(id);
  sandbox?.containers.delete(id);
}
