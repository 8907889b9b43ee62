import type { Rooms } from '../../cri/handler.ts';
import { knowNames } from '../../cri/page/lazy-page.ts';
import { RecentWork } from '../../cri/page/recent-work.ts';
import { STAGES, type Operation } from '../../ground/stages.ts';
import type { ImageRecord } from '../../image/images.ts';
import type { ContainerState } from '../../pod/pods.ts';
import { sampleInput } from '../../pod/spec/sample-input.ts';
import { BUSYBOX, fakeRooms, type FakePods } from './rooms.ts';

/*
 * A node with much on it, in memory: for the page, whose looks and cost depend on how much there is.
 */

const NAMES = [
  'web',
  'api',
  'worker',
  'cache',
  'metrics-agent',
  'ingress',
  'billing',
  'search',
  'mailer',
  'dns',
];
const NAMESPACES = ['default', 'kube-system', 'shop', 'monitoring'];
const IMAGES = ['nginx:1.29', 'redis:8', 'postgres:18', 'python:3.14-slim', 'node:26', 'busybox:1'];
const BASE = ['base-a', 'base-b', 'base-c'];

export interface BusyNode {
  rooms: Rooms & { pods: FakePods };
  recent: RecentWork;
}

export interface BusyOptions {
  pods: number;
  /** Of all pods together. */
  containers: number;
  /** Also pulls that run, debts, work in flight. Default: not. */
  trouble?: boolean;
}

/** Makes such a node. The same numbers give the same node, but for its times. */
export async function busyNode({ pods, containers, trouble = false }: BusyOptions): Promise<BusyNode> {
  const rooms = fakeRooms();
  let nowMs = 0;
  const recent = new RecentWork(() => nowMs);
  knowNames(recent, rooms);
  const images = IMAGES.map(image);
  addImages(rooms, images);
  const random = sequence();
  const work = (operation: Operation, id: string, totalMs: number): void => {
    for (const stage of STAGES[operation]) {
      recent.enter(operation, id, stage);
      nowMs += (totalMs / STAGES[operation].length) * (0.3 + 1.4 * random());
    }
    recent.leave(operation, id, 'done');
  };
  for (let at = 0; at < pods; at++) {
    const own = Math.floor(containers / pods) + (at < containers % pods ? 1 : 0);
    const sandboxId = await addPod(rooms, at);
    work('RunPodSandbox', sandboxId, 4 + 5 * random());
    for (let nth = 0; nth < own; nth++) {
      const picked = images[(at + nth) % images.length]!;
      if (at % 5 === 0 && nth === 0) work('PullImage', picked.repoTags[0]!, 900 + 3000 * random());
      const id = await addContainer(rooms, sandboxId, { nth, picked, state: stateOf(at, nth) });
      nowMs += 3;
      work('CreateContainer', id, 7 + 8 * random());
      work('StartContainer', id, 1 + random());
    }
  }
  if (trouble) addTrouble(rooms, recent);
  return { rooms, recent };
}

function stateOf(
  pod: number,
  nth: number,
): { state: ContainerState; exitCode: number; reason: string; attempt: number } {
  if (pod % 9 === 4 && nth === 1) return { state: 'exited', exitCode: 137, reason: 'OOMKilled', attempt: 3 };
  if (pod % 11 === 3 && nth === 0) return { state: 'exited', exitCode: 0, reason: 'Completed', attempt: 0 };
  return { state: 'running', exitCode: 0, reason: '', attempt: pod % 7 === 0 ? 2 : 0 };
}

async function addPod({ pods }: { pods: FakePods }, at: number): Promise<string> {
  const name = `${NAMES[at % NAMES.length]}-${(at * 7919 + 4242).toString(36)}`;
  const { sandbox } = sampleInput({
    sandbox: {
      metadata: { name, uid: `uid-${at}`, namespace: NAMESPACES[at % NAMESPACES.length]!, attempt: 0 },
      portMappings:
        at % 8 === 0 ? [{ protocol: 'tcp', containerPort: 80, hostPort: 8000 + at, hostIp: '' }] : [],
    },
    sandboxSecurity: {
      namespaces: { network: at % 12 === 5 ? 'node' : 'pod', pid: 'container', ipc: 'pod', targetId: '' },
    },
  });
  const id = await pods.runSandbox(sandbox, at % 10 === 9 ? 'runc' : '');
  const onNode = at % 12 === 5;
  pods.sandboxes.set(id, {
    ...pods.sandbox(id),
    id,
    state: at % 37 === 20 ? 'notready' : 'ready',
    createdAtNs: BigInt(Date.now() - at * 190_000 - 4000) * 1_000_000n,
    addresses: onNode ? [] : [`10.88.${at >> 8}.${(at % 250) + 2}`],
    hostLink: onNode ? '' : `berth-${(0x1a2b3c4d + at * 77_777).toString(16)}`,
  });
  return id;
}

async function addContainer(
  { pods }: { pods: FakePods },
  sandboxId: string,
  { nth, picked, state }: { nth: number; picked: ImageRecord; state: ReturnType<typeof stateOf> },
): Promise<string> {
  const { attempt, ...rest } = state;
  const { container } = sampleInput({
    container: {
      metadata: { name: ['app', 'sidecar', 'log-shipper', 'init'][nth % 4]!, attempt },
      image: {
        image: picked.id,
        userSpecifiedImage: picked.repoTags[0]!,
        annotations: {},
        runtimeHandler: '',
      },
      envs: [{ key: 'PASSWORD', value: Buffer.from('s3cret-env') }],
      args: ['--token=s3cret-arg'],
    },
  });
  const id = await pods.createContainer(sandboxId, container);
  const created = pods.sandbox(sandboxId).createdAtNs;
  pods.containers.set(id, {
    ...pods.container(id),
    ...rest,
    imageId: picked.id,
    createdAtNs: created,
    startedAtNs: created + 1_000_000n,
    finishedAtNs: rest.state === 'exited' ? created + 60_000_000_000n : 0n,
  });
  return id;
}

function image(name: string, at: number): ImageRecord {
  const hex = (at + 100).toString(16).padStart(64, '0');
  const layers = [
    ...BASE.slice(0, at % 4),
    ...[1, 2, 3].slice(0, 1 + (at % 3)).map((nth) => `${name}-${nth}`),
  ];
  return {
    ...BUSYBOX,
    id: `sha256:${hex}`,
    repoTags: [`docker.io/library/${name}`],
    repoDigests: [],
    layers,
  };
}

function addImages(rooms: Rooms, images: ImageRecord[]): void {
  const chains = [...new Set(images.flatMap(({ layers }) => layers))];
  rooms.images.list = () => images;
  rooms.images.find = (reference) =>
    images.find(({ id, repoTags }) => id === reference || repoTags.includes(reference));
  rooms.images.layers = () =>
    chains.map((chainId, at) => ({
      chainId,
      content: String(at),
      bytes: ((at * 37) % 61) * 2_100_000 + 4_000_000,
    }));
}

function addTrouble(rooms: Rooms & { pods: FakePods }, recent: RecentWork): void {
  const [first] = rooms.pods.sandboxes.keys();
  recent.enter('StopContainer', [...rooms.pods.containers.keys()][3] ?? 'c', 'signal');
  recent.enter('PullImage', 'docker.io/library/postgres:19', 'fetch');
  const progress = {
    layersDone: 3,
    layersTotal: 8,
    bytesDone: 61_000_000,
    bytesTotal: 154_000_000,
    layers: [],
  };
  rooms.images.pulls = () => ({
    running: [{ image: 'docker.io/library/postgres:19', stage: 'fetch', sinceMs: 4000, progress }],
    totals: { bytesFetched: 0, done: 0, failed: 0 },
  });
  const census = rooms.pods.census();
  const since = new Date(Date.now() - 90_000).toISOString();
  rooms.pods.census = () => ({
    ...census,
    debts: [
      {
        id: first ?? 's',
        kind: 'network',
        since,
        tries: 4,
        lastError: 'CNI DEL: plugin "bridge" is not in /opt/cni/bin',
      },
    ],
    quarantined: [{ kind: 'containers', id: '3f2a', reason: 'a time is missing' }],
  });
}

/** Numbers from 0 to 1 that are the same in each run. */
function sequence(): () => number {
  let state = 1;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}
