import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HANDLERS } from '../../cri/handlers.ts';
import type { Rooms } from '../../cri/handler.ts';
import { Server } from '../../cri/server.ts';
import { SILENT } from '../../ground/log.ts';
import type { Notice } from '../../ground/notices.ts';
import { apiServer } from '../../kubernetes/api.ts';
import { kubeconfigLogin } from '../../kubernetes/kubeconfig.ts';
import { Authority } from '../../test/certificates.ts';
import { until as waitUntil } from '../../test/fakes/node-network.ts';
import { fakeRooms } from '../../test/fakes/rooms.ts';
import { KubernetesNodesServer } from '../../test/kubernetes-nodes-server.ts';
import type { Json } from '../../test/kubernetes-patches.ts';
import { Agent } from './agent.ts';
import { nodeViewOf, type NodeCondition } from './node-view.ts';
import { TIMES, type AgentTimes } from './times.ts';

/** Short enough for tests; what is measured is what happens, not when. */
const QUICK: AgentTimes = {
  ...TIMES,
  daemon: { pollMs: 20, retryMs: 10, patienceMs: 2000 },
  steady: { fallMs: 200, riseMs: 20 },
  events: { repeatMs: 60_000, againMs: 50, burst: 20, refillMs: 100, remembered: 32 },
  watch: { pauseMs: 5, longestPauseMs: 20, shortestWatchMs: 50 },
  againMs: 50,
  pauseMs: 5,
  longestPauseMs: 50,
};

/** What deploy/agent/README.md asks for. */
const RIGHTS = [
  'list nodes',
  'watch nodes',
  'patch nodes',
  'patch nodes/status',
  'create events',
  'patch events',
];
/** A bound on what hangs. */
const until = (condition: () => boolean): Promise<void> => waitUntil(condition, 20_000);

describe('the node agent', function () {
  this.timeout(60_000);
  let directory: string;
  let server: KubernetesNodesServer;
  let authority: Authority;
  let rooms: ReturnType<typeof fakeRooms>;
  let daemon: Server | undefined;
  let notices: Notice[];
  let stop: AbortController;
  let running: Promise<void>[];
  let certificates: { cert: string; key: string };

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-agent-'));
    authority = new Authority(directory);
    certificates = authority.issue('server', ['IP:127.0.0.1']);
  });
  after(() => rmSync(directory, { recursive: true }));
  beforeEach(async () => {
    server = new KubernetesNodesServer({ ca: authority.ca, ...certificates, anonymous: true });
    server.tokens = new Set(['t1']);
    server.rights = new Set(RIGHTS);
    await server.start();
    server.put('other', { addresses: ['192.0.2.2'] });
    server.put('n', { addresses: ['192.0.2.1'], podCIDRs: ['10.1.0.0/24', 'fd00:1::/64'] });
    writeFileSync(join(directory, 'token'), 't1\n');
    writeFileSync(join(directory, 'config'), server.kubeconfig('127.0.0.1', { tokenFile: 'token' }));
    rooms = fakeRooms();
    notices = [];
    await serveDaemon(new Date());
    stop = new AbortController();
    running = [];
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running);
    await daemon?.close(50);
    await server.stop();
  });

  const socket = (): string => join(directory, 'berth.sock');
  async function serveDaemon(startedAt: Date): Promise<void> {
    const facts = { ...rooms.daemon, startedAt, notices: () => notices };
    daemon = await new Server({
      listen: `unix://${socket()}`,
      rooms: { ...(rooms as Rooms), daemon: facts },
      handlers: HANDLERS,
      log: SILENT,
    }).listen();
  }
  const make = (changes: Partial<AgentTimes> = {}, instance = 'agent-1'): Agent =>
    new Agent({
      api: apiServer(kubeconfigLogin(join(directory, 'config'))),
      socket: socket(),
      node: 'n',
      instance,
      log: SILENT,
      times: { ...QUICK, ...changes },
    });
  function start(changes: Partial<AgentTimes> = {}, instance = 'agent-1'): Agent {
    const agent = make(changes, instance);
    running.push(agent.run(stop.signal));
    return agent;
  }
  const labels = (): Record<string, string> => nodeViewOf(server.node('n'))!.labels;
  const condition = (): NodeCondition | undefined => nodeViewOf(server.node('n'))!.condition;
  const says = (status: string): Promise<void> => until(() => condition()?.status === status);
  const writes = (): string[] => server.requests.filter((request) => request.startsWith('patch nodes'));
  const reasons = (): string[] => [...server.events.events.values()].map(({ reason }) => reason as string);
  const LABELS = {
    'berth.dev/version': '0.0.0-test',
    'berth.dev/default-handler': 'crun',
    'berth.dev/handler.crun': 'true',
    'berth.dev/handler.runc': 'true',
  };

  it('writes labels, condition and an event, and gives the daemon the ranges of its Node', async () => {
    const agent = start();
    await says('True');
    await until(() => reasons().length > 0);
    assert.deepEqual(labels(), LABELS);
    assert.equal(condition()!.reason, 'DaemonServes');
    assert.deepEqual(reasons(), ['DaemonStarted']);
    await until(() => rooms.network.cidr === '10.1.0.0/24,fd00:1::/64');
    assert.deepEqual(writes(), ['patch nodes n', 'patch nodes/status n']);
    const owners = server.node('n').metadata['managedFields'] as Json[];
    assert.deepEqual(
      owners.filter(({ manager }) => manager === 'berth-agent').map(({ operation }) => operation),
      ['Apply', 'Apply'],
    );
    assert.deepEqual(nodeViewOf(server.node('other'))!.labels, {});
    await until(() => agent.status().eventsDue === 0);
    const counted = agent.counts.requests.filter(({ verb }) => verb === 'patch' || verb === 'create');
    assert.deepEqual(
      counted.map(({ verb, resource, code, count }) => `${verb} ${resource} ${code} ${count}`),
      ['patch nodes 200 1', 'patch nodes/status 200 1', 'create events 201 1'],
    );
    const { apiTrouble, daemonTrouble, verdict } = agent.status();
    assert.deepEqual([apiTrouble, daemonTrouble, verdict?.status], ['', '', 'True']);
    server.put('n', { addresses: ['192.0.2.1'], podCIDRs: ['10.2.0.0/24'] });
    await until(() => rooms.network.cidr === '10.2.0.0/24');
  });

  it('says so when nobody answers for a while, and when the daemon is back', async () => {
    start();
    await says('True');
    const since = condition()!.lastTransitionTime;
    await daemon!.close(50);
    await serveDaemon(new Date());
    await until(() => reasons().length === 1);
    assert.equal(condition()!.lastTransitionTime, since, 'a restart is no change');
    await daemon!.close(50);
    daemon = undefined;
    await says('False');
    assert.equal(condition()!.reason, 'DaemonUnreachable');
    assert.match(condition()!.message, /No daemon answers on .*berth\.sock: ENOENT/);
    await until(() => reasons().includes('DaemonUnreachable'));
    assert.deepEqual(labels(), LABELS, 'pods are not moved because of that');
    await serveDaemon(new Date());
    await says('True');
  });

  it('follows the daemon: conditions, handlers, what has happened', async () => {
    start();
    await says('True');
    const before = rooms.network.status.bind(rooms.network);
    rooms.network.status = () => ({ ready: false, reason: 'NetworkPluginNotReady', message: 'no list' });
    await says('False');
    assert.equal(condition()!.message, 'NetworkReady: no list');
    rooms.network.status = before;
    await says('True');
    const handlers = rooms.pods.handlers();
    rooms.pods.handlers = () => handlers.map((one) => ({ ...one, usable: one.name === 'crun' }));
    await until(() => labels()['berth.dev/handler.runc'] === undefined);
    assert.equal(labels()['berth.dev/handler.crun'], 'true');
    notices = [{ id: 1, at: new Date().toISOString(), kind: 'no-room', message: 'no room for x' }];
    await until(() => reasons().includes('ImageStoreFull'));
  });

  it('leaves what others write, and mends what is its own', async () => {
    start();
    await says('True');
    server.nodes.change('n', (node) => {
      node.metadata.labels = { ...node.metadata.labels, 'berth.dev/version': 'x', 'example.org/mine': 'y' };
      node.status.conditions.push({ type: 'MemoryPressure', status: 'False' });
    });
    await until(() => labels()['berth.dev/version'] === '0.0.0-test');
    const { metadata, status } = server.node('n');
    assert.equal(metadata.labels!['example.org/mine'], 'y');
    assert.deepEqual(status.conditions.map(({ type }) => type).sort(), [
      'BerthReady',
      'MemoryPressure',
      'Ready',
    ]);
  });

  it('keeps a heartbeat', async () => {
    start({ heartbeatMs: 30 });
    await until(() => writes().length > 4);
    assert.deepEqual([...new Set(writes().slice(1))], ['patch nodes/status n']);
    assert.equal(condition()!.status, 'True');
  });

  it('two on one node write the same, and do not fight', async () => {
    start({}, 'agent-1');
    start({}, 'agent-2');
    await says('True');
    await until(() => server.watchers === 2);
    await until(() => reasons().length === 1);
    // Every look and every event would be an occasion.
    for (let i = 0; i < 10; i++) {
      server.put('n', { addresses: ['192.0.2.1'], podCIDRs: ['10.1.0.0/24'], beat: i });
      await new Promise((resolve) => setTimeout(resolve, 30)); // several looks of both
    }
    assert.ok(writes().length <= 4, writes().join());
    assert.deepEqual(reasons(), ['DaemonStarted']);
    assert.deepEqual(labels(), LABELS);
  });

  it('waits while the server is away, at the start and later, and then says what is so', async () => {
    await server.stop();
    const agent = start();
    await until(() => /ECONNREFUSED/.test(agent.status().apiTrouble));
    assert.equal(agent.status().syncedAt, '');
    await server.start();
    await says('True');
    await until(() => agent.status().syncedAt !== '');
    await server.stop();
    await until(() => agent.status().apiTrouble !== '');
    const { syncedAt } = agent.status();
    for (let i = 0; i < 200; i++)
      notices.push({ id: i + 1, at: new Date().toISOString(), kind: 'no-room', message: `image ${i}` });
    await until(() => agent.status().eventsDue === QUICK.events.remembered);
    rooms.network.status = () => ({ ready: false, reason: 'NetworkPluginNotReady', message: 'no list' });
    await until(() => agent.status().verdict?.status === 'False');
    assert.ok(agent.status().stillForMs < 30_000);
    assert.equal(agent.status().syncedAt, syncedAt);
    await server.start();
    await says('False');
  });

  it('goes on after versions that have expired, ended and broken watches', async () => {
    const agent = start();
    await says('True');
    for (const by of ['event', 'status'] as const) {
      server.expiryBy = by;
      await server.stop();
      server.put('n', { addresses: ['192.0.2.1'], podCIDRs: [`10.${by.length}.0.0/24`] });
      server.expire();
      await server.start();
      await until(() => rooms.network.cidr === `10.${by.length}.0.0/24`);
    }
    await until(() => server.watchers === 1);
    server.raw('{"type":"MODIF\n');
    server.drop();
    server.endWatches();
    server.bookmark();
    server.put('n', { addresses: ['192.0.2.1'], podCIDRs: ['10.9.0.0/24'] });
    await until(() => rooms.network.cidr === '10.9.0.0/24');
    assert.equal(agent.counts.expired, 2);
    assert.ok(agent.counts.watches >= 3, String(agent.counts.watches));
  });

  it('leaves a server alone that throttles, and writes when it may', async () => {
    const agent = start();
    await until(() => server.watchers === 1);
    await says('True');
    for (let i = 0; i < 2; i++) server.refuse(429, 'too many requests', { 'Retry-After': '1' });
    const begun = performance.now();
    rooms.network.status = () => ({ ready: false, reason: 'NetworkPluginNotReady', message: 'no list' });
    await until(() => /429/.test(agent.status().apiTrouble));
    await says('False');
    await until(() => agent.status().apiTrouble === '');
    assert.ok(performance.now() - begun >= 2000, 'waited for what the server said');
    assert.equal(agent.counts.throttled, 2);
  });

  it('lives with a slow server, lost answers and connections that hang', async () => {
    server.latencyMs = 30;
    const agent = start();
    await says('True');
    server.losing = 3;
    const handlers = rooms.pods.handlers();
    rooms.pods.handlers = () => handlers.map((one) => ({ ...one, usable: one.name === 'crun' }));
    await until(() => labels()['berth.dev/handler.runc'] === undefined);
    await until(() => agent.status().apiTrouble === '');
    server.hanging = 1;
    rooms.network.status = () => ({ ready: false, reason: 'NetworkPluginNotReady', message: 'no list' });
    await until(() => server.hanging === 0);
    server.drop();
    await says('False');
  });

  it('takes a new token from its file', async () => {
    const agent = start({ heartbeatMs: 50 });
    await says('True');
    server.tokens = new Set(['t2']);
    server.drop();
    await until(() => /401/.test(agent.status().apiTrouble));
    writeFileSync(join(directory, 'token'), 't2\n');
    await until(() => agent.status().apiTrouble === '');
  });

  it('says which right it lacks, and does what it may', async () => {
    server.rights!.delete('create events');
    const agent = start();
    await says('True');
    await until(() =>
      /403.*cannot create resource "events".*see deploy\/agent/.test(agent.status().apiTrouble),
    );
    assert.deepEqual(labels(), LABELS);
    server.rights!.delete('patch nodes/status');
    rooms.network.status = () => ({ ready: false, reason: 'NetworkPluginNotReady', message: 'no list' });
    await until(() => /cannot patch resource "nodes\/status"/.test(agent.status().apiTrouble));
  });

  it('waits for a Node that is not there, and begins anew with one that was made anew', async () => {
    server.delete('n');
    const agent = start();
    await until(() => /has no Node n/.test(agent.status().apiTrouble));
    server.put('n', { addresses: [] });
    await says('True');
    await until(() => reasons().length === 1);
    server.delete('n');
    await until(() => /has no Node n/.test(agent.status().apiTrouble));
    assert.equal(server.nodes.get('n'), undefined, 'it is not made by the agent');
    server.put('n', { addresses: [] });
    await says('True');
    assert.deepEqual(labels(), LABELS);
    await until(() => reasons().length === 2);
  });

  it('waits for a daemon that is not there, and says nothing of it at first', async () => {
    await daemon!.close(50);
    daemon = undefined;
    start();
    await until(() => server.watchers === 1);
    assert.equal(condition(), undefined);
    await says('False');
    assert.deepEqual(labels(), {});
    await serveDaemon(new Date());
    await says('True');
    await until(() => labels()['berth.dev/version'] !== undefined);
  });

  it('does one round, and takes all of it away', async () => {
    const { view, verdict } = await make().once(stop.signal);
    assert.deepEqual([view.labels, verdict.status], [LABELS, 'True']);
    assert.equal(rooms.network.cidr, '10.1.0.0/24,fd00:1::/64');
    assert.equal(condition()!.status, 'True');
    await daemon!.close(50);
    daemon = undefined;
    const { verdict: later } = await make().once(stop.signal);
    assert.equal(later.reason, 'DaemonUnreachable');
    assert.equal(condition()!.status, 'False');
    assert.deepEqual(labels(), LABELS);
    const conditions = server.node('n').status.conditions.filter(({ type }) => type !== 'BerthReady');
    await make().leave(stop.signal);
    await make().leave(stop.signal);
    assert.deepEqual([labels(), condition()], [{}, undefined]);
    assert.deepEqual(server.node('n').status.conditions, conditions);
    server.delete('n');
    await make().leave(stop.signal);
    await assert.rejects(make().once(stop.signal), /The cluster has no Node n; see NODE_NAME/);
  });
});
