import type { DaemonFacts, Rooms } from '../../cri/handler.ts';
import type { Streaming } from '../../cri/streaming/server.ts';
import type { Ticket } from '../../cri/streaming/ticket.ts';
import { Fault } from '../../ground/fault.ts';
import type { ImageRecord, Images } from '../../image/images.ts';
import type { PodNetwork } from '../../network/pod-network.ts';
import type { ContainerConfig, SandboxConfig } from '../../pod/config.ts';
import { EventQueue } from '../../pod/event-queue.ts';
import type { ContainerView, PodEvent, Pods, ResourceUsage, SandboxView } from '../../pod/pods.ts';
import type { InterfaceCounters } from '../../pod/stats/interfaces.ts';

/** A moment with a part below the precision of a plain number. */
export const CREATED_AT_NS = 1_790_000_000_123_456_789n;

const FEATURES = {
  recursiveReadOnly: true,
  userNamespaces: false,
  submountsInUserns: true,
  commandCgroups: 'none' as const,
};

const hex = (number: number): string => number.toString(16).padStart(64, '0');

const LINE = { totalNs: 1000n, avg10: 0.5, avg60: 0.25, avg300: 0 };
const PRESSURE = { full: LINE, some: LINE };
const USAGE: ResourceUsage = {
  cpuUsageNs: 5n,
  cpuNanoCores: 4n,
  memoryUsageBytes: 6n,
  workingSetBytes: 7n,
  rssBytes: 8n,
  pageFaults: 9n,
  majorPageFaults: 0n,
  memoryAvailableBytes: 12n,
  swap: { usageBytes: 13n, availableBytes: 14n },
  pressure: { cpu: PRESSURE, memory: PRESSURE, io: PRESSURE },
};

function counters(name: string): InterfaceCounters {
  return {
    name,
    rxBytes: 1n,
    rxPackets: 2n,
    rxErrors: 3n,
    rxDropped: 4n,
    txBytes: 5n,
    txPackets: 6n,
    txErrors: 7n,
    txDropped: 8n,
  };
}

/** Pods in memory: nothing runs, all states are as a caller sees them. A method can be replaced to fail or hang. */
export class FakePods implements Pods {
  readonly sandboxes = new Map<string, SandboxView>();
  readonly containers = new Map<string, ContainerView>();
  /** Calls in order: `stopSandbox 000…1`. */
  readonly calls: string[] = [];
  readonly published = new EventQueue<PodEvent>({ items: 100, bytes: Infinity, sizeOf: () => 0 }, () => {});
  #next = 1;

  async runSandbox(config: SandboxConfig, handler: string): Promise<string> {
    const id = hex(this.#next++);
    this.sandboxes.set(id, {
      id,
      config,
      handler: handler || 'crun',
      state: 'ready',
      createdAtNs: CREATED_AT_NS,
      addresses: ['10.88.0.2', 'fd00::2'],
      hostLink: 'berth-0a1b2c3d',
      info: () => ({ pid: 42, at: CREATED_AT_NS }),
    });
    return id;
  }

  async stopSandbox(id: string): Promise<void> {
    this.calls.push(`stopSandbox ${id}`);
    const sandbox = this.sandbox(id);
    this.sandboxes.set(id, { ...sandbox, state: 'notready' });
  }

  async removeSandbox(id: string): Promise<void> {
    this.sandbox(id);
    this.sandboxes.delete(id);
  }

  sandbox(id: string): SandboxView {
    const found = this.sandboxes.get(id);
    if (found === undefined)
      throw new Fault('not-found', 'There is no such sandbox', { subject: `sandbox ${id}` });
    return found;
  }

  listSandboxes: Pods['listSandboxes'] = (filter) =>
    [...this.sandboxes.values()].filter(
      ({ id, state, config }) =>
        (filter?.id === undefined || id.startsWith(filter.id)) &&
        (filter?.state === undefined || state === filter.state) &&
        Object.entries(filter?.labels ?? {}).every(([key, value]) => config.labels[key] === value),
    );

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    this.sandbox(sandboxId);
    const id = hex(this.#next++);
    this.containers.set(id, {
      id,
      sandboxId,
      config,
      state: 'created',
      createdAtNs: CREATED_AT_NS,
      startedAtNs: 0n,
      finishedAtNs: 0n,
      exitCode: 0,
      reason: '',
      message: '',
      imageId: `sha256:${hex(7)}`,
      imageRef: `docker.io/library/busybox@sha256:${hex(8)}`,
      logPath: '/var/log/pods/p/c/0.log',
      user: { uid: 0, gid: 0, supplementalGroups: [] },
      resources: config.resources,
      stopSignal: config.stopSignal || 'SIGTERM',
      info: () => ({}),
    });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    this.containers.set(id, { ...this.container(id), state: 'running', startedAtNs: CREATED_AT_NS + 1n });
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    this.calls.push(`stopContainer ${graceSeconds}`);
    this.containers.set(id, { ...this.container(id), state: 'exited', exitCode: 137, reason: 'Error' });
  }

  async removeContainer(id: string): Promise<void> {
    this.container(id);
    this.containers.delete(id);
  }

  container(id: string): ContainerView {
    const found = this.containers.get(id);
    if (found === undefined)
      throw new Fault('not-found', 'There is no such container', { subject: `container ${id}` });
    return found;
  }

  listContainers: Pods['listContainers'] = (filter) =>
    [...this.containers.values()].filter(
      ({ id, sandboxId, state }) =>
        (filter?.id === undefined || id.startsWith(filter.id)) &&
        (filter?.sandboxId === undefined || sandboxId === filter.sandboxId) &&
        (filter?.state === undefined || state === filter.state),
    );

  execSync: Pods['execSync'] = async (id, command) => {
    this.container(id);
    return { stdout: Buffer.from(command.join(' ')), stderr: new Uint8Array(0), exitCode: 0 };
  };

  exec: Pods['exec'] = async () => {
    throw new Fault('unimplemented', 'The fake runs no commands');
  };

  attach: Pods['attach'] = async () => {
    throw new Fault('unimplemented', 'The fake has no output');
  };

  connect: Pods['connect'] = async () => {
    throw new Fault('unimplemented', 'The fake has no ports');
  };

  reopenLog: Pods['reopenLog'] = async (id) => void this.container(id);

  updateContainer: Pods['updateContainer'] = async (id, resources) => {
    this.containers.set(id, { ...this.container(id), resources });
  };

  checkpointContainer: Pods['checkpointContainer'] = async (id) => void this.container(id);

  updateSandbox: Pods['updateSandbox'] = async (id, update) => {
    const sandbox = this.sandbox(id);
    this.sandboxes.set(id, { ...sandbox, config: { ...sandbox.config, ...update } });
  };

  containerStats: Pods['containerStats'] = async (id) => ({
    container: this.container(id),
    cgroupPath: `/pods/${id}`,
    timestampNs: CREATED_AT_NS,
    usage: USAGE,
    writableLayer: { mountpoint: '/var/lib/berth', usedBytes: 10, inodesUsed: 11, atNs: CREATED_AT_NS - 1n },
  });

  sandboxStats: Pods['sandboxStats'] = async (id) => ({
    sandbox: this.sandbox(id),
    cgroupPath: '/pods',
    timestampNs: CREATED_AT_NS,
    usage: USAGE,
    network: { main: counters('eth0'), others: [counters('net1')] },
    processes: 3,
    containers: await this.listContainerStats({ sandboxId: id, labels: {} }),
  });

  metricDescriptors: Pods['metricDescriptors'] = () => [
    { name: 'container_last_seen', help: 'When.', labels: ['pod'] },
  ];

  podMetrics: Pods['podMetrics'] = async function* (this: FakePods) {
    for (const sandboxId of this.sandboxes.keys())
      yield {
        sandboxId,
        samples: [
          {
            name: 'container_last_seen',
            kind: 'gauge',
            timestampNs: CREATED_AT_NS,
            labels: ['p'],
            value: 7n,
          },
        ],
        containers: [],
      };
  };

  listSandboxStats: Pods['listSandboxStats'] = (filter) =>
    Promise.all(this.listSandboxes(filter).map(({ id }) => this.sandboxStats(id)));

  listContainerStats: Pods['listContainerStats'] = (filter) =>
    Promise.all(this.listContainers(filter).map(({ id }) => this.containerStats(id)));

  events: Pods['events'] = (signal) => this.published.subscribe(signal);

  handlersTried: Pods['handlersTried'] = async () => {};
  handlers: Pods['handlers'] = () => [
    {
      name: 'crun',
      path: '/usr/bin/crun',
      version: '1.8',
      usable: true,
      reason: '',
      isDefault: true,
      features: FEATURES,
      noUserNamespaces: '',
    },
    {
      name: 'runc',
      path: '/usr/bin/runc',
      version: '1.1',
      usable: true,
      reason: '',
      isDefault: false,
      features: FEATURES,
      noUserNamespaces: '',
    },
    {
      name: 'kata',
      path: '',
      version: '',
      usable: false,
      reason: 'not found',
      isDefault: false,
      features: FEATURES,
      noUserNamespaces: '',
    },
  ];

  cgroupDriver: Pods['cgroupDriver'] = () => 'cgroupfs';

  census: Pods['census'] = () => ({
    sandboxes: { ready: this.sandboxes.size, notready: 0 },
    containers: { created: 0, running: this.containers.size, exited: 0, unknown: 0 },
    inFlight: [{ operation: 'RunPodSandbox', id: 'abc', stage: 'network', sinceMs: 1500 }],
    debts: [],
    quarantined: [],
    children: 0,
    security: {
      apparmor: { available: false, defaultProfile: false, reason: '' },
      selinux: false,
      seccomp: true,
    },
    logCuts: 0,
    events: { subscribers: this.published.subscribers, dropped: this.published.dropped },
  });

  async close(): Promise<void> {}
}

/** One image, called busybox. */
export const BUSYBOX: ImageRecord = {
  id: `sha256:${hex(7)}`,
  repoTags: ['docker.io/library/busybox:1'],
  repoDigests: [`docker.io/library/busybox@sha256:${hex(8)}`],
  size: 1_234_567,
  layers: [`sha256:${hex(9)}`],
  config: {
    user: '1000:1000',
    env: [],
    entrypoint: [],
    cmd: ['sh'],
    workingDir: '',
    volumes: [],
    labels: {},
    stopSignal: '',
  },
  pinned: false,
};

/** An image room with one image in it. */
export function fakeImages(): Images {
  const images = new Map([[BUSYBOX.id, BUSYBOX]]);
  const find: Images['find'] = (reference) =>
    [...images.values()].find((one) => [one.id, ...one.repoTags, ...one.repoDigests].includes(reference));
  return {
    find,
    list: () => [...images.values()],
    layers: () => [{ chainId: BUSYBOX.layers[0]!, content: '1', bytes: 1_234_567 }],
    async pull(reference) {
      const found = find(reference);
      if (found === undefined) throw new Fault('not-found', 'The registry has no such image');
      return found;
    },
    pulls: () => ({ running: [], totals: { bytesFetched: 0, done: 0, failed: 0 } }),
    load: async () => [BUSYBOX],
    async save() {},
    inspect: () => ({ image: BUSYBOX, manifest: '', configBlob: '{}', layers: [] }),
    check: async () => ({ verified: 1, unverifiable: 0, findings: [] }),
    async remove(reference) {
      const found = find(reference);
      if (found === undefined) throw new Fault('not-found', 'There is no such image');
      images.delete(found.id);
    },
    hold() {},
    release() {},
    usage: async () => ({
      images: { mountpoint: '/var/lib/berth', usedBytes: 2 ** 40, inodesUsed: 3 },
      containers: { mountpoint: '/var/lib/berth', usedBytes: 2 ** 20, inodesUsed: 4 },
    }),
    get snapshots(): Images['snapshots'] {
      throw new Fault('unimplemented', 'The fake has no snapshots');
    },
    async close() {},
  };
}

/** A network that is up. */
export function fakeNetwork(): PodNetwork & { cidr: string } {
  return {
    cidr: '',
    async start() {},
    attach: async () => ({ network: 'bridge', addresses: ['10.88.0.2'], detail: {} }),
    async detach() {},
    async gc() {},
    status: () => ({ ready: true, reason: '', message: '' }),
    shape: () => ({
      by: 'bridge',
      name: 'berth0',
      plugins: [],
      mtu: 1500,
      ranges: [{ cidr: '10.88.0.0/16', size: '65533', inUse: 1 }],
      firewall: 'iptables',
    }),
    async setPodCidr(cidr) {
      this.cidr = cidr;
    },
    async close() {},
  };
}

/** A daemon of which only the facts exist. */
export const FAKE_DAEMON: DaemonFacts = {
  version: '0.0.0-test',
  startedAt: new Date(0),
  versions: { node: process.version },
  preferredHandler: 'crun',
  notices: () => [],
  disk: () => undefined,
  urls: () => ({ metrics: 'http://127.0.0.1:9464/metrics', page: 'http://127.0.0.1:9464/' }),
  configuration: () => ({
    files: ['/etc/berth/berth.toml'],
    readAt: '2026-01-01T00:00:00.000Z',
    needRestart: [],
    trouble: '',
  }),
  config: () => ({ root: '/var/lib/berth' }),
  check: async () => ({ live: true, pods: [], store: { verified: 1, unverifiable: 0, findings: [] } }),
};

/** A streaming server that gives out tickets and serves nobody. */
export class FakeStreaming implements Streaming {
  readonly tickets: Ticket[] = [];

  async url(ticket: Ticket): Promise<string> {
    return `http://127.0.0.1:1/${ticket.kind}/${this.tickets.push(ticket)}`;
  }
}

/** All rooms, in memory. */
export function fakeRooms(): Rooms & {
  pods: FakePods;
  network: PodNetwork & { cidr: string };
  streaming: FakeStreaming;
} {
  return {
    pods: new FakePods(),
    images: fakeImages(),
    network: fakeNetwork(),
    streaming: new FakeStreaming(),
    daemon: FAKE_DAEMON,
  };
}
