import { ContainerState, type ContainerStatus } from '../pods.ts';
import type { BackOff } from './back-off.ts';
import type { DesiredContainer, DesiredPod } from './desired.ts';
import { isUsable, type PodStatus } from './pod-status.ts';

/*
 * What has to be done for a pod, from what is wanted and what is there: kuberuntime's computePodActions in short.
 *
 *   no usable sandbox -> kill what runs, stop the old one, make the next (attempt + 1)
 *   init containers   -> one after the other; a sidecar only has to be started before the next
 *   main containers   -> each that does not run and whose policy wants it, unless it is in back-off
 */

export type Step =
  | { do: 'sandbox'; attempt: number }
  | { do: 'start'; container: DesiredContainer; sandboxId: string; attempt: number }
  | { do: 'wait'; ms: number };

/** All is as it should be: look again in half a minute, or when something changes. */
const RESYNC_MS = 30_000;

/** The next steps for a pod. `attemptOfLog`: the next attempt by the log files, where the runtime knows none. */
export function stepsFor(
  pod: DesiredPod,
  status: PodStatus,
  backOff: BackOff,
  now: number,
  attemptOfLog: (container: string) => number,
): Step[] {
  const newest = (name: string, sandboxId?: string): ContainerStatus | undefined =>
    status.containers.find(
      ({ metadata, id }) =>
        metadata?.name === name && (sandboxId === undefined || status.sandboxOf.get(id) === sandboxId),
    );
  const attempt = (name: string): number => {
    const last = newest(name);
    return last === undefined ? attemptOfLog(name) : last.metadata!.attempt + 1;
  };
  const [latest] = status.sandboxes;
  if (latest === undefined || !isUsable(latest, pod.hostNetwork)) {
    if (isOver(pod, status)) return [{ do: 'wait', ms: RESYNC_MS }];
    return [{ do: 'sandbox', attempt: latest === undefined ? 0 : latest.metadata!.attempt + 1 }];
  }
  let waitMs = RESYNC_MS;
  const steps: Step[] = [];
  /** Starts it, unless it is in back-off. */
  const start = (container: DesiredContainer, last: ContainerStatus | undefined): void => {
    const left = last === undefined ? 0 : backOff.leftMs(container.name, last.finishedAt, now);
    if (left > 0) waitMs = Math.min(waitMs, left);
    else steps.push({ do: 'start', container, sandboxId: latest.id, attempt: attempt(container.name) });
  };
  const begun = pod.containers.some(({ name, role }) => role === 'main' && newest(name, latest.id));
  for (const container of pod.containers) {
    const last = newest(container.name, latest.id);
    if (last?.state === ContainerState.RUNNING) {
      if (container.role === 'init') return [...steps, { do: 'wait', ms: waitMs }];
      continue;
    }
    if (container.role === 'init') {
      if (begun || (last?.state === ContainerState.EXITED && last.exitCode === 0)) continue;
      start(container, last);
      return [...steps, { do: 'wait', ms: waitMs }];
    }
    if (!wantsStart(pod, container, last)) continue;
    start(container, last);
    // The next ones wait until a sidecar has been started.
    if (container.role === 'sidecar' && !begun) return [...steps, { do: 'wait', ms: waitMs }];
  }
  return [...steps, { do: 'wait', ms: waitMs }];
}

/** Whether the pod's restart policy wants a container that does not run to run. */
function wantsStart(pod: DesiredPod, { role }: DesiredContainer, last: ContainerStatus | undefined): boolean {
  if (last === undefined || last.state !== ContainerState.EXITED || role === 'sidecar') return true;
  if (pod.restart === 'Always') return true;
  return pod.restart === 'OnFailure' && last.exitCode !== 0;
}

/** Whether a pod that need not run for ever has come to its end: each main container has, and none wants another try. */
export function isOver(pod: DesiredPod, status: PodStatus): boolean {
  if (pod.restart === 'Always') return false;
  return pod.containers
    .filter(({ role }) => role === 'main')
    .every((container) => {
      const last = status.containers.find(({ metadata }) => metadata?.name === container.name);
      return last !== undefined && !wantsStart(pod, container, last) && last.state === ContainerState.EXITED;
    });
}
