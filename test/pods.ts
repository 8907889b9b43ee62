import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestInput, ResponseOf } from '../cri/rpc.ts';
import { ImageLibrary } from './image-library.ts';
import type { TestNode } from './node.ts';
import { makePodCgroup } from './pod-cgroups.ts';
import { patient } from './patience.ts';

/*
 * Requests as a kubelet words them, and the short ways through a pod's life that most tests take.
 */

export type PodConfig = NonNullable<RequestInput<'RunPodSandbox'>['config']>;
export type ContainerConfig = NonNullable<RequestInput<'CreateContainer'>['config']>;
export type ContainerStatus = NonNullable<ResponseOf<'ContainerStatus'>['status']>;
export type SandboxStatus = NonNullable<ResponseOf<'PodSandboxStatus'>['status']>;

/** What these ways need of a node: a test's own one, or the machine itself under its service. */
export type PodNode = Pick<TestNode, 'client' | 'logs' | 'cgroupParent'>;

/** `State.RUNNING` … of the CRI's `ContainerState`. */
export const ContainerState = { CREATED: 0, RUNNING: 1, EXITED: 2, UNKNOWN: 3 } as const;
export const SandboxState = { READY: 0, NOTREADY: 1 } as const;

/** The image that `pushBusybox` puts into the library. */
export const BUSYBOX = `${ImageLibrary.address}/busybox:1`;

/** A sandbox's configuration as the kubelet sends it for pod `name`; its log directory and cgroup are made. */
export function podConfig(node: PodNode, name: string, changes: PodConfig = {}): PodConfig {
  const uid = randomUUID();
  const logDirectory = join(node.logs, `default_${name}_${uid}`);
  mkdirSync(logDirectory, { recursive: true });
  const labels = {
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': 'default',
    'io.kubernetes.pod.uid': uid,
  };
  const cgroupParent = `${node.cgroupParent}/kubepods/besteffort/pod${uid}`;
  const { linux, ...rest } = changes;
  if (linux?.cgroupParent === undefined) makePodCgroup(cgroupParent);
  return {
    metadata: { name, uid, namespace: 'default', attempt: 0 },
    hostname: name,
    logDirectory,
    dnsConfig: { servers: ['10.96.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
    labels,
    annotations: { 'kubernetes.io/config.source': 'api' },
    linux: {
      cgroupParent,
      securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 }, seccomp: { profileType: 0 } },
      ...linux,
    },
    ...rest,
  };
}

/** A container's configuration as the kubelet sends it; `command` runs in the busybox image. */
export function containerConfig(
  name: string,
  command: string[],
  changes: ContainerConfig = {},
): ContainerConfig {
  const { linux, ...rest } = changes;
  return {
    metadata: { name, attempt: 0 },
    image: { image: BUSYBOX, userSpecifiedImage: BUSYBOX },
    command,
    envs: [{ key: 'KUBERNETES_SERVICE_HOST', value: Buffer.from('10.96.0.1') }],
    labels: { 'io.kubernetes.container.name': name },
    annotations: { 'io.kubernetes.container.restartCount': '0' },
    logPath: `${name}/0.log`,
    linux: {
      resources: { cpuPeriod: 100_000, cpuShares: 2, oomScoreAdj: 1000 },
      securityContext: {
        namespaceOptions: { network: 0, pid: 1, ipc: 0 },
        maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
        readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
        seccomp: { profileType: 0 },
      },
      ...linux,
    },
    ...rest,
  };
}

/** RunPodSandbox; resolves with the sandbox's id. */
export async function runSandbox(node: PodNode, config: PodConfig, runtimeHandler = ''): Promise<string> {
  return (await node.client.call('RunPodSandbox', { config, runtimeHandler })).podSandboxId;
}

/** CreateContainer, after making the log's directory as the kubelet does; resolves with the container's id. */
export async function createContainer(
  podSandboxId: string,
  node: PodNode,
  config: ContainerConfig,
  sandboxConfig: PodConfig,
): Promise<string> {
  if (config.logPath) mkdirSync(join(sandboxConfig.logDirectory!, config.logPath, '..'), { recursive: true });
  const request = { podSandboxId, config, sandboxConfig };
  return (await node.client.call('CreateContainer', request)).containerId;
}

export interface RunningPod {
  sandbox: string;
  container: string;
  pod: PodConfig;
  config: ContainerConfig;
}

/** Sandbox, container and start in one: a pod `name` of one container that runs `command`. */
export async function runPod(
  node: PodNode,
  name: string,
  command: string[],
  changes: { pod?: PodConfig; container?: ContainerConfig; handler?: string } = {},
): Promise<RunningPod> {
  const pod = podConfig(node, name, changes.pod);
  const sandbox = await runSandbox(node, pod, changes.handler);
  const config = containerConfig('main', command, changes.container);
  const container = await createContainer(sandbox, node, config, pod);
  await node.client.call('StartContainer', { containerId: container });
  return { sandbox, container, pod, config };
}

/** One more container in a pod, started; resolves with its id. */
export async function addContainer(
  node: PodNode,
  { sandbox, pod }: RunningPod,
  name: string,
  command: string[],
  changes: ContainerConfig = {},
): Promise<string> {
  const container = await createContainer(sandbox, node, containerConfig(name, command, changes), pod);
  await node.client.call('StartContainer', { containerId: container });
  return container;
}

/** StopPodSandbox and RemovePodSandbox, which take the containers along. */
export async function removePod(node: PodNode, podSandboxId: string): Promise<void> {
  await node.client.call('StopPodSandbox', { podSandboxId });
  await node.client.call('RemovePodSandbox', { podSandboxId });
}

/** Stops and removes every pod of the node. */
export async function removeAllPods(node: PodNode): Promise<void> {
  const { items } = await node.client.call('ListPodSandbox', {});
  for (const { id } of items) await removePod(node, id);
}

/** ContainerStatus without its envelope. */
export async function statusOf(node: PodNode, containerId: string): Promise<ContainerStatus> {
  const { status } = await node.client.call('ContainerStatus', { containerId });
  if (status === null) throw new Error(`ContainerStatus of ${containerId} holds no status`);
  return status;
}

/** PodSandboxStatus without its envelope. */
export async function sandboxStatusOf(node: PodNode, podSandboxId: string): Promise<SandboxStatus> {
  const { status } = await node.client.call('PodSandboxStatus', { podSandboxId });
  if (status === null) throw new Error(`PodSandboxStatus of ${podSandboxId} holds no status`);
  return status;
}

/** Asks until the container has exited; rejects when that takes longer than `limitMs`. */
export async function waitForExit(
  node: PodNode,
  containerId: string,
  limitMs = 20_000,
): Promise<ContainerStatus> {
  return eventually(`container ${containerId} exits`, limitMs, async () => {
    const status = await statusOf(node, containerId);
    return status.state === ContainerState.EXITED ? status : undefined;
  });
}

/** Calls `attempt` until it gives a value; rejects with `what` when that takes longer than `limitMs`. */
export async function eventually<T>(
  what: string,
  limitMs: number,
  attempt: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const begun = performance.now();
  for (;;) {
    const value = await attempt();
    if (value !== undefined) return value;
    if (performance.now() - begun > patient(limitMs))
      throw new Error(`Waited ${patient(limitMs)} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** ExecSync of a shell line; rejects when its exit code is not 0. Resolves with its standard output. */
export async function shell(node: PodNode, containerId: string, line: string): Promise<string> {
  const answer = await node.client.call('ExecSync', {
    containerId,
    cmd: ['sh', '-c', line],
    timeout: patient(20),
  });
  const output = Buffer.from(answer.stdout).toString();
  if (answer.exitCode !== 0)
    throw new Error(
      `${line}: exit code ${answer.exitCode}: ${output}${Buffer.from(answer.stderr).toString()}`,
    );
  return output;
}

export interface LogLine {
  time: string;
  stream: string;
  /** `P`: the line goes on in the next record; `F`: it is full. */
  tag: string;
  content: string;
}

/** The records of a container's log, as the kubelet reads them. Throws on a line that has not the CRI's form. */
export function readLog(path: string): LogLine[] {
  const text = readFileSync(path, 'latin1');
  if (text !== '' && !text.endsWith('\n')) throw new Error(`The log ${path} ends within a line`);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const parts =
        /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF](?::\S+)?) ?(.*)$/s.exec(
          line,
        );
      if (parts === null) throw new Error(`Not a log line of the CRI: ${JSON.stringify(line)}`);
      return { time: parts[1]!, stream: parts[2]!, tag: parts[3]!, content: parts[4]! };
    });
}

/** Whole lines of one stream's records: partial ones are put together. An unfinished last line is a line. */
export function wholeLines(records: LogLine[]): string[] {
  const lines: string[] = [];
  let open = false;
  for (const { content, tag } of records) {
    if (open) lines[lines.length - 1] += content;
    else lines.push(content);
    open = tag.startsWith('P');
  }
  return lines;
}
