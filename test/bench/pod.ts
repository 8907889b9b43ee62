import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../cri/client.ts';
import type { RequestInput } from '../../cri/rpc.ts';
import { NamespaceMode } from '../../cri/proto/codec.js';
import { BUSYBOX_IMAGE } from './images.ts';
import type { Node, Peer } from './peers/peer.ts';

/** The calls of a pod's life, in order. */
export const CALLS = [
  'RunPodSandbox',
  'CreateContainer',
  'StartContainer',
  'ExecSync',
  'StopContainer',
  'RemoveContainer',
  'StopPodSandbox',
  'RemovePodSandbox',
] as const;

export type Call = (typeof CALLS)[number];

/** Milliseconds of each call of one pod's life. */
export type LifeTimes = Record<Call, number>;

/** What the pod's one container runs: the payload, which no memory figure counts. */
export const PAYLOAD = ['/bin/sleep', '987654'];

export interface RunningPod {
  sandboxId: string;
  containerId: string;
}

type PodSandboxConfig = RequestInput<'RunPodSandbox'>['config'];

/** A sandbox, and the configuration that it was made from. */
export interface Sandbox {
  sandboxId: string;
  sandboxConfig: PodSandboxConfig;
}

/** Makes a sandbox of its own name and directory; `time` receives the milliseconds of the call. */
export async function runSandbox(peer: Peer, cri: Client, time: Timed = untimed): Promise<Sandbox> {
  const uid = randomBytes(8).toString('hex');
  const name = `bench-${uid}`;
  const logs = join(peer.node.logs, name);
  mkdirSync(logs, { recursive: true });
  const sandboxConfig = {
    metadata: { name, uid, namespace: 'bench', attempt: 0 },
    hostname: 'bench',
    logDirectory: logs,
    labels: { app: 'bench' },
    linux: {
      cgroupParent: `${peer.node.cgroup}/pod-${uid}`,
      securityContext: { namespaceOptions: NAMESPACES },
    },
  };
  const run = { config: sandboxConfig, runtimeHandler: peer.handler };
  const { podSandboxId: sandboxId } = await time('RunPodSandbox', () =>
    cri.call('RunPodSandbox', run, PATIENCE),
  );
  return { sandboxId, sandboxConfig };
}

/** Creates and starts a container in it; `attempt` tells those of one sandbox apart. Resolves with its id. */
export async function startContainer(
  cri: Client,
  { sandboxId: podSandboxId, sandboxConfig }: Sandbox,
  attempt = 0,
  command = PAYLOAD,
  time: Timed = untimed,
): Promise<string> {
  const config = {
    metadata: { name: 'sleep', attempt },
    image: { image: BUSYBOX_IMAGE },
    command,
    labels: { app: 'bench' },
    logPath: 'sleep.log',
    linux: { resources: { cpuShares: 102 }, securityContext: { namespaceOptions: NAMESPACES } },
  };
  const create = { podSandboxId, config, sandboxConfig };
  const { containerId } = await time('CreateContainer', () => cri.call('CreateContainer', create, PATIENCE));
  await time('StartContainer', () => cri.call('StartContainer', { containerId }, PATIENCE));
  return containerId;
}

/** Starts a pod with one container through the CRI; `time` receives the milliseconds of each call. */
export async function startPod(peer: Peer, cri: Client, time: Timed = untimed): Promise<RunningPod> {
  const sandbox = await runSandbox(peer, cri, time);
  const containerId = await startContainer(cri, sandbox, 0, PAYLOAD, time);
  return { sandboxId: sandbox.sandboxId, containerId };
}

/** Brings the pods' image to a node that has none. A daemon whose registry is still starting is asked again. */
export async function pullImage(node: Node): Promise<void> {
  using cri = new Client(node.socket);
  for (let tries = 1; ; tries++) {
    try {
      await cri.call('PullImage', { image: { image: BUSYBOX_IMAGE } }, PATIENCE);
      return;
    } catch (error) {
      if (tries === 20) throw error;
      await sleep(100);
    }
  }
}

/** A daemon that hangs fails the run. */
const PATIENCE = { deadlineMs: 60_000 };

/** What a kubelet asks for by default: own network and IPC for the pod, own PIDs for each container. */
const NAMESPACES = { network: NamespaceMode.POD, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.POD };

/** Runs `true` in the pod's container. Throws when it does not exit 0. */
export async function execTrue(cri: Client, pod: RunningPod, time: Timed = untimed): Promise<void> {
  const request = { containerId: pod.containerId, cmd: ['true'], timeout: 10 };
  const { exitCode } = await time('ExecSync', () => cri.call('ExecSync', request, PATIENCE));
  if (exitCode !== 0) throw new Error(`ExecSync of true answered exit code ${exitCode}`);
}

/** Stops (no grace) and removes the container and the sandbox. */
export async function removePod(cri: Client, pod: RunningPod, time: Timed = untimed): Promise<void> {
  const { sandboxId: podSandboxId, containerId } = pod;
  await time('StopContainer', () => cri.call('StopContainer', { containerId, timeout: 0 }, PATIENCE));
  await time('RemoveContainer', () => cri.call('RemoveContainer', { containerId }, PATIENCE));
  await time('StopPodSandbox', () => cri.call('StopPodSandbox', { podSandboxId }, PATIENCE));
  await time('RemovePodSandbox', () => cri.call('RemovePodSandbox', { podSandboxId }, PATIENCE));
}

/** Runs a call and notes how long it took. */
export type Timed = <T>(call: Call, work: () => Promise<T>) => Promise<T>;

const untimed: Timed = (_call, work) => work();

/** A stopwatch that writes into `times`. */
export function stopwatch(times: Partial<LifeTimes>): Timed {
  return async (call, work) => {
    const begin = performance.now();
    const result = await work();
    times[call] = performance.now() - begin;
    return result;
  };
}
