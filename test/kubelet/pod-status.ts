import { ContainerState, SandboxState, type ContainerStatus, type SandboxStatus } from '../pods.ts';
import { isCode, type Line } from './line.ts';

/** All that the runtime knows of one pod; newest first. */
export interface PodStatus {
  sandboxes: SandboxStatus[];
  containers: ContainerStatus[];
  /** Sandbox ids by container id: a container's status does not name its sandbox, the list does. */
  sandboxOf: Map<string, string>;
}

export const UID_LABEL = 'io.kubernetes.pod.uid';

/**
 * A pod's status as kuberuntime asks for it: its sandboxes and containers by label, then each one's status. What goes
 * between the list and the look is NotFound, and normal.
 */
export async function podStatus(line: Line, uid: string): Promise<PodStatus> {
  const labelSelector = { [UID_LABEL]: uid };
  const { items } = await line.call('ListPodSandbox', { filter: { labelSelector } });
  const sandboxes: SandboxStatus[] = [];
  for (const { id } of items) {
    const { status } = (await orGone(line.call('PodSandboxStatus', { podSandboxId: id }, MAY_BE_GONE))) ?? {};
    if (status) sandboxes.push(status);
  }
  const listed = await line.call('ListContainers', { filter: { labelSelector } });
  const containers: ContainerStatus[] = [];
  for (const { id } of listed.containers) {
    const { status } = (await orGone(line.call('ContainerStatus', { containerId: id }, MAY_BE_GONE))) ?? {};
    if (status) containers.push(status);
  }
  const newestFirst = (a: { createdAt: bigint }, b: { createdAt: bigint }): number =>
    Number(b.createdAt - a.createdAt);
  return {
    sandboxes: sandboxes.sort(newestFirst),
    containers: containers.sort(newestFirst),
    sandboxOf: new Map(listed.containers.map(({ id, podSandboxId }) => [id, podSandboxId])),
  };
}

const MAY_BE_GONE = { tolerate: ['NOT_FOUND' as const] };

/** The answer, or undefined when the object is gone. */
export async function orGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** Whether a sandbox can take containers; a pod's own network has an address then. */
export function isUsable(sandbox: SandboxStatus | undefined, hostNetwork: boolean): boolean {
  if (sandbox?.state !== SandboxState.READY) return false;
  return hostNetwork || (sandbox.network?.ip ?? '') !== '';
}

/** The running containers of a pod, in whichever sandbox. */
export function runningOf(status: PodStatus): ContainerStatus[] {
  return status.containers.filter(({ state }) => state === ContainerState.RUNNING);
}
