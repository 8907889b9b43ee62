import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImageLibrary } from '../image-library.ts';
import type { TestNode } from '../node.ts';
import { makePodCgroup } from '../pod-cgroups.ts';
import { BUSYBOX, containerConfig, type ContainerConfig, type PodConfig } from '../pods.ts';

/*
 * What the day's API server wants of the node: pods as a kubelet knows them.
 */

/** What a probe by ExecSync is to come to. */
export type ProbeEnd = 'success' | 'failure' | 'timeout' | 'either';

export interface Probe {
  command: string[];
  timeoutSeconds: number;
  end: ProbeEnd;
  /** A liveness probe: three failures in a row, and the container is killed. */
  liveness: boolean;
}

export interface DesiredContainer {
  name: string;
  /** `init` runs to its end before the next one; `sidecar` is an init container that stays. */
  role: 'init' | 'sidecar' | 'main';
  image: string;
  command: string[];
  /** The exit codes that it can have when nobody kills it. */
  exits: number[];
  graceSeconds: number;
  probe?: Probe;
  /** Bytes and shares; only with these it is burstable. */
  memoryBytes?: number;
  cpuShares?: number;
  /** It writes numbered lines, and its log is rotated. */
  talks?: boolean;
}

export interface DesiredPod {
  name: string;
  uid: string;
  kind: string;
  restart: 'Always' | 'OnFailure' | 'Never';
  hostNetwork: boolean;
  containers: DesiredContainer[];
  sandbox: PodConfig;
}

/** Ends at once when it is asked to, as a well-behaved server does. */
const POLITE = 'trap "exit 0" TERM; ';
const WAIT = 'while :; do sleep 3600 & wait $!; done';

const polite = (before = ''): string[] => ['sh', '-c', `${POLITE}${before}${WAIT}`];
const probe = (line: string, end: ProbeEnd, more: Partial<Probe> = {}): Probe => ({
  command: ['sh', '-c', line],
  timeoutSeconds: 1,
  end,
  liveness: false,
  ...more,
});

const main = (command: string[], more: Partial<DesiredContainer> = {}): DesiredContainer => ({
  name: 'main',
  role: 'main',
  image: BUSYBOX,
  command,
  exits: [0],
  graceSeconds: 2,
  ...more,
});
const init = (name: string, line: string): DesiredContainer => ({
  ...main(['sh', '-c', line]),
  name,
  role: 'init',
});

const WEB_PORT = 8080;
const SERVE = `mkdir -p /www; echo berth > /www/index.html; httpd -f -p ${WEB_PORT} -h /www & ${WAIT}`;
const TALK =
  'n=0; while :; do for k in 1 2 3 4 5 6 7 8; do n=$((n+1)); echo "$n a line of a container that talks"; done; sleep 1 & wait $!; done';

/** The kinds of pods that stand on the node all day, with their share of all pods. */
const KINDS: Record<
  string,
  { share: number; pod: () => Pick<DesiredPod, 'containers'> & Partial<DesiredPod> }
> = {
  web: {
    share: 38,
    pod: () => ({
      containers: [main(['sh', '-c', POLITE + SERVE], { probe: probe('echo -n well', 'success') })],
    }),
  },
  talker: {
    share: 14,
    pod: () => ({ containers: [main(['sh', '-c', POLITE + TALK], { talks: true })] }),
  },
  prepared: {
    share: 10,
    pod: () => ({
      containers: [
        init('first', 'echo one > /shared/one'),
        init('second', 'test -e /shared/one && echo two > /shared/two'),
        main(['sh', '-c', `test -e /shared/two || exit 9; ${POLITE}${WAIT}`]),
      ],
    }),
  },
  accompanied: {
    share: 10,
    pod: () => ({
      containers: [
        { ...main(polite('touch /shared/proxy; ')), name: 'proxy', role: 'sidecar' },
        init('migrate', 'while ! test -e /shared/proxy; do sleep 0.1; done'),
        main(polite(), { probe: probe('test -e /shared/proxy && echo -n well', 'success') }),
      ],
    }),
  },
  crashing: {
    share: 5,
    pod: () => ({ containers: [main(['sh', '-c', 'sleep 1; exit 3'], { exits: [3] })] }),
  },
  unready: {
    share: 4,
    pod: () => ({ containers: [main(polite(), { probe: probe('echo -n no >&2; exit 4', 'failure') })] }),
  },
  stuck: {
    share: 2,
    pod: () => ({
      containers: [main(polite(), { probe: probe('sleep 300 & sleep 300', 'timeout') })],
    }),
  },
  ailing: {
    share: 3,
    pod: () => ({
      containers: [
        main(polite('touch /alive; (sleep 8; rm /alive) & '), {
          probe: probe('test -e /alive', 'either', { liveness: true }),
        }),
      ],
    }),
  },
  deaf: { share: 2, pod: () => ({ containers: [main(['sleep', '100000'], { graceSeconds: 1 })] }) },
  burstable: {
    share: 8,
    pod: () => ({ containers: [main(polite(), { memoryBytes: 64 << 20, cpuShares: 102 })] }),
  },
  hostly: { share: 2, pod: () => ({ hostNetwork: true, containers: [main(polite())] }) },
  rolled: { share: 12, pod: () => ({ containers: [main(polite())] }) },
};

const ALL = Object.values(KINDS).reduce((sum, { share }) => sum + share, 0);

/** `count` pods of all kinds; each kind at least once. */
export function standingPods(node: TestNode, count: number): DesiredPod[] {
  return Object.keys(KINDS).flatMap((kind) => {
    const many = Math.max(1, Math.round((KINDS[kind]!.share / ALL) * count));
    return Array.from({ length: many }, (_, index) => desiredPod(node, kind, `${kind}-${index}`));
  });
}

/** One pod of a kind. */
export function desiredPod(node: TestNode, kind: string, name: string): DesiredPod {
  return completed(node, { kind, name, ...KINDS[kind]!.pod() });
}

/** A job: an init container and a main one that fails the first time and succeeds the second, with its own image. */
export function jobPod(node: TestNode, name: string, image: string): DesiredPod {
  const once = 'test -e /shared/tried || { touch /shared/tried; exit 5; }; echo done > /dev/termination-log';
  return completed(node, {
    kind: 'job',
    name,
    restart: 'OnFailure',
    containers: [
      init('prepare', 'test -e /marker-of-image'),
      main(['sh', '-c', once], { image, exits: [0, 5] }),
    ].map((container) => ({ ...container, image })),
  });
}

/** Name of the `index`-th image that only jobs use. */
export function jobImage(index: number): string {
  return `${ImageLibrary.address}/job-${index}:1`;
}

function completed(
  node: TestNode,
  pod: Pick<DesiredPod, 'kind' | 'name' | 'containers'> & Partial<DesiredPod>,
): DesiredPod {
  const { hostNetwork = false } = pod;
  const burstable = pod.containers.some(({ memoryBytes }) => memoryBytes !== undefined);
  const uid = randomUUID();
  const cgroupParent = `${node.cgroupParent}/kubepods/${burstable ? 'burstable' : 'besteffort'}/pod${uid}`;
  const sandbox: PodConfig = {
    metadata: { name: pod.name, uid, namespace: 'default', attempt: 0 },
    hostname: hostNetwork ? '' : pod.name,
    labels: {
      'io.kubernetes.pod.name': pod.name,
      'io.kubernetes.pod.namespace': 'default',
      'io.kubernetes.pod.uid': uid,
    },
    annotations: { 'kubernetes.io/config.source': 'api' },
    dnsConfig: { servers: ['10.96.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
    logDirectory: join(node.logs, `default_${pod.name}_${uid}`),
    linux: {
      cgroupParent,
      securityContext: {
        namespaceOptions: { network: hostNetwork ? 2 : 0, pid: 1, ipc: 0 },
        seccomp: { profileType: 0 },
      },
    },
  };
  return { restart: 'Always', hostNetwork, uid, ...pod, sandbox };
}

/** Where a kubelet keeps what is a pod's own: /etc/hosts, volumes, termination messages. */
export function podDirectory(node: TestNode, pod: DesiredPod): string {
  return join(node.directory, 'kubelet/pods', pod.uid);
}

/** Where an attempt of a container leaves its last words (terminationMessagePath). */
export function messagePathOf(node: TestNode, pod: DesiredPod, container: string, attempt: number): string {
  return join(podDirectory(node, pod), 'containers', `${container}-${attempt}`);
}

/** What a kubelet prepares before it asks for a sandbox: directories, the pod's cgroup. */
export function preparePod(node: TestNode, pod: DesiredPod): void {
  const directory = podDirectory(node, pod);
  for (const part of ['shared', 'containers']) mkdirSync(join(directory, part), { recursive: true });
  mkdirSync(pod.sandbox.logDirectory!, { recursive: true });
  writeFileSync(join(directory, 'etc-hosts'), '127.0.0.1 localhost\n');
  makePodCgroup(pod.sandbox.linux!.cgroupParent!);
}

/** A container's configuration for its `attempt`, with the mounts that every kubelet adds. */
export function configOf(
  node: TestNode,
  pod: DesiredPod,
  container: DesiredContainer,
  attempt: number,
  imageRef: string,
): ContainerConfig {
  const directory = podDirectory(node, pod);
  const last = messagePathOf(node, pod, container.name, attempt);
  writeFileSync(last, '');
  const basis = containerConfig(container.name, container.command);
  const { memoryBytes, cpuShares } = container;
  return {
    ...basis,
    metadata: { name: container.name, attempt },
    image: { image: imageRef, userSpecifiedImage: container.image },
    labels: { ...pod.sandbox.labels, 'io.kubernetes.container.name': container.name },
    annotations: {
      'io.kubernetes.container.restartCount': String(attempt),
      'io.kubernetes.container.terminationMessagePath': '/dev/termination-log',
    },
    mounts: [
      { containerPath: '/etc/hosts', hostPath: join(directory, 'etc-hosts') },
      { containerPath: '/dev/termination-log', hostPath: last },
      { containerPath: '/shared', hostPath: join(directory, 'shared') },
    ],
    logPath: `${container.name}/${attempt}.log`,
    linux: {
      ...basis.linux,
      resources: {
        cpuPeriod: 100_000,
        cpuShares: cpuShares ?? 2,
        oomScoreAdj: memoryBytes === undefined ? 1000 : 900,
        ...(memoryBytes === undefined ? {} : { memoryLimitInBytes: memoryBytes }),
      },
      securityContext: {
        ...basis.linux?.securityContext,
        namespaceOptions: { network: pod.hostNetwork ? 2 : 0, pid: 1, ipc: 0 },
      },
    },
  };
}

/** The port at which a pod of kind `web` answers. */
export const PORT_OF_WEB = WEB_PORT;
