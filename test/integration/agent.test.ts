import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { DaemonCensus } from '../../cri/census.ts';
import { nodeViewOf, type NodeView } from '../../deploy/agent/node-view.ts';
import { AgentProcess, runAgent } from '../agent-process.ts';
import { Authority } from '../certificates.ts';
import { KubernetesNodesServer } from '../kubernetes-nodes-server.ts';
import { eventually, removeAllPods, runPod, sandboxStatusOf } from '../pods.ts';
import { useNode } from '../use-node.ts';

const LIMIT_MS = 40_000;

describe('the node agent beside a daemon', function () {
  this.timeout(180_000);
  let directory: string;
  let server: KubernetesNodesServer;
  let agents: AgentProcess[];

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-agent-'));
  });
  after(() => rmSync(directory, { recursive: true }));
  beforeEach(async () => {
    const authority = new Authority(directory);
    const certificates = authority.issue('server', ['IP:127.0.0.1']);
    server = new KubernetesNodesServer({ ca: authority.ca, ...certificates, anonymous: true });
    server.tokens = new Set(['t1']);
    await server.start();
    server.put('node-1', { addresses: ['192.0.2.1'], podCIDRs: ['10.77.0.0/24', 'fd77::/64'] });
    writeFileSync(join(directory, 'token'), 't1\n');
    writeFileSync(join(directory, 'config'), server.kubeconfig('127.0.0.1', { tokenFile: 'token' }));
    agents = [];
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      for (const { output } of agents)
        console.log(`    The agent's log:\n${output.replace(/^/gm, '      ')}`);
    for (const agent of agents) await agent.end('SIGKILL');
    await server.stop();
  });

  // After the hooks above: agents are gone when leaks are looked for. Without a range of its own the node waits for
  // the one that its Node object says.
  const suite = useNode({ config: { network: { pod_cidr: '' } } });
  const health = (): string => join(directory, 'agent.sock');
  const argv = (): string[] => ['--config', suite.node.configFile, '--health', health()];
  const env = (): Record<string, string> => ({ NODE_NAME: 'Node-1', KUBECONFIG: join(directory, 'config') });
  function start(...more: string[]): AgentProcess {
    const agent = new AgentProcess([...argv(), ...more], env());
    agents.push(agent);
    return agent;
  }
  const view = (): NodeView => nodeViewOf(server.node('node-1'))!;
  const says = (status: string): Promise<true> =>
    eventually(`BerthReady is ${status}`, LIMIT_MS, () =>
      view().condition?.status === status ? true : undefined,
    );
  const census = async (): Promise<DaemonCensus> =>
    JSON.parse((await suite.node.client.call('Census', {})).json) as DaemonCensus;
  const ranges = (podCidr: string): Promise<true> =>
    eventually(`the daemon has ${podCidr}`, LIMIT_MS, async () =>
      (await census()).network.range?.podCidr === podCidr ? true : undefined,
    );
  const event = (reason: string): Promise<string> =>
    eventually(`an event ${reason}`, LIMIT_MS, () =>
      [...server.events.events.values()]
        .filter((one) => one['reason'] === reason)
        .map(({ note }) => note as string)
        .at(0),
    );

  it('makes a Node of it that says what the daemon is, and pods with the addresses of the Node', async () => {
    start();
    await says('True');
    assert.equal(view().condition!.reason, 'DaemonServes');
    const { version } = await suite.node.client.call('Version', {}).then(({ runtimeVersion }) => ({
      version: runtimeVersion,
    }));
    assert.deepEqual(view().labels, {
      'berth.dev/version': version,
      'berth.dev/default-handler': 'crun',
      'berth.dev/handler.crun': 'true',
      'berth.dev/handler.runc': 'true',
      'berth.dev/handler.faulty': 'true',
    });
    assert.match(await event('DaemonStarted'), new RegExp(`Berth ${version} has started`));
    await ranges('10.77.0.0/24,fd77::/64');
    const { sandbox } = await runPod(suite.node, 'p', ['sleep', '1000']);
    const { network } = await sandboxStatusOf(suite.node, sandbox);
    assert.match(network!.ip, /^10\.77\.0\./);
    assert.match(network!.additionalIps[0]!.ip, /^fd77:/);
    server.put('node-1', { addresses: ['192.0.2.1'], podCIDRs: ['10.78.0.0/24'] });
    await ranges('10.78.0.0/24');
    await removeAllPods(suite.node);
    // The bridge is there from now on.
    await suite.retake();
  });

  it('tells of the death of the daemon, of its return and of what it found', async () => {
    const agent = start();
    await says('True');
    await runPod(suite.node, 'p', ['sleep', '1000']);
    await suite.node.kill9();
    await says('False');
    assert.equal(view().condition!.reason, 'DaemonUnreachable');
    await event('DaemonUnreachable');
    const records = new DatabaseSync(join(suite.node.root, 'berth.db'));
    records.exec(`INSERT INTO records (kind, id, json) VALUES ('containers', 'broken', '{"nothing')`);
    records.close();
    await suite.node.start();
    await says('True');
    assert.match(await event('RecordQuarantined'), /containers broken/);
    await event('DaemonStarted');
    assert.equal(await agent.end('SIGTERM'), 0);
    assert.equal(view().condition!.status, 'True', 'an agent that stops changes nothing');
    await removeAllPods(suite.node);
    // What was set aside is kept.
    await suite.retake();
  });

  it('can be killed at any time', async () => {
    server.latencyMs = 5;
    for (let round = 0; round < 8; round++) {
      const agent = start();
      const asked = server.requests.length;
      // The more rounds, the later: before the list, in the patches, in the events, in the watch.
      await eventually('some requests', LIMIT_MS, () =>
        server.requests.length >= asked + Math.min(round, 4) ? true : undefined,
      );
      await agent.end('SIGKILL');
      if (round % 3 === 2)
        server.nodes.change('node-1', (node) => {
          node.metadata.labels!['berth.dev/handler.gone'] = 'true';
        });
    }
    start();
    start();
    await says('True');
    await eventually('labels are right', LIMIT_MS, () =>
      'berth.dev/handler.gone' in view().labels ? undefined : true,
    );
    await event('DaemonStarted');
    const reasons = [...server.events.events.values()].map(({ reason }) => reason);
    assert.equal(new Set(reasons).size, reasons.length, 'each was told once');
  });

  it('runs as a pod does: with a service account, and asked by probes', async () => {
    const pod = join(directory, 'pod');
    mkdirSync(pod, { recursive: true });
    writeFileSync(join(pod, 'token'), 't1');
    writeFileSync(join(pod, 'ca.crt'), readFileSync(join(directory, 'ca.pem')));
    // What the kubelet mounts there.
    const script = `mkdir -p /run/secrets && mount -t tmpfs none /run/secrets && mkdir -p /run/secrets/kubernetes.io &&
      ln -s ${pod} /run/secrets/kubernetes.io/serviceaccount && exec "$@"`;
    const node = suite.node;
    const environment = 'KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=1 NODE_NAME=node-1'.split(
      ' ',
    );
    const inPod = ['unshare', '-m', 'sh', '-c', script, 'sh', 'env', '-u', 'KUBECONFIG', ...environment];
    const once = await node.exec([...inPod, ...node.berthCommand('agent', '--once')]).then(
      () => '',
      (error: Error) => error.message,
    );
    assert.match(once, /The API server https:\/\/127\.0\.0\.1:1 does not answer: connect ECONNREFUSED/);
    await assert.rejects(runAgent(['--check', ...argv()], {}), /No agent answers on .*agent\.sock/);
    start();
    await says('True');
    assert.match(
      await runAgent(['--check', ...argv()], {}),
      /^Node +node-1\nAPI server +answers\nDaemon +answers\nIn step +at \S+Z\nCondition +True \(DaemonServes: Berth .* serves\)\n$/,
    );
  });

  it('does one round, and goes without a trace', async () => {
    const text = await runAgent(['--once', ...argv()], env());
    assert.match(text, /^node-1: BerthReady True \(DaemonServes: .*\)\n( {2}berth\.dev\/.*=.*\n)+$/);
    assert.match(
      await runAgent(['--leave', ...argv()], env()),
      /The Node node-1 says nothing of Berth any more/,
    );
    assert.deepEqual([view().labels, view().condition], [{}, undefined]);
    await assert.rejects(
      runAgent(['--once', ...argv(), '--node-name', 'nobody'], env()),
      /The cluster has no Node nobody; see NODE_NAME/,
    );
    await assert.rejects(
      runAgent(['--once', ...argv()], { KUBECONFIG: '' }),
      /does not know where the API server is/,
    );
  });

  it('serves its metrics and its health where it is told to', async () => {
    const agent = start('--metrics', '127.0.0.1:0');
    await says('True');
    const url = await eventually('it has said where', LIMIT_MS, () =>
      /http:\/\/127\.0\.0\.1:\d+\/(?=metrics)/.exec(agent.output)?.at(0),
    );
    const page = async (): Promise<string> => await (await fetch(`${url}metrics`)).text();
    await eventually('node and daemon are in step', LIMIT_MS, async () =>
      /^berth_agent_last_sync_timestamp_seconds 1/m.test(await page()) ? true : undefined,
    );
    await event('DaemonStarted');
    const text = await page();
    assert.match(
      text,
      /^berth_agent_api_requests_total\{verb="patch",resource="nodes\/status",code="200"\} [1-9]/m,
    );
    assert.match(text, /^berth_agent_daemon_answers 1$/m);
    const reconnects = async (): Promise<number> =>
      Number(/^berth_agent_watch_reconnects_total (\d+)$/m.exec(await page())![1]);
    const before = await reconnects();
    server.expire();
    server.drop();
    await eventually('the watch goes on', LIMIT_MS, async () =>
      (await reconnects()) > before ? true : undefined,
    );
    const health = await fetch(`${url}healthz`);
    assert.equal(health.status, 200);
    assert.equal(((await health.json()) as { node: string }).node, 'node-1');
    await suite.node.kill9();
    await eventually('the daemon is missed', LIMIT_MS, async () =>
      /^berth_agent_daemon_answers 0$/m.test(await page()) ? true : undefined,
    );
    assert.equal((await fetch(`${url}healthz`)).status, 200, 'no restart of the agent mends that');
    await suite.node.start();
    await assert.rejects(
      runAgent([...argv(), '--metrics', new URL(url).host], env()),
      /Metrics cannot be served on .*EADDRINUSE.*give --metrics another address/,
    );
    await assert.rejects(runAgent([...argv(), '--metrics', 'here'], env()), /--metrics is "here"/);
    assert.ok(agent.memory < 110e6, String(agent.memory));
    assert.equal(await agent.end('SIGTERM'), 0);
    // The bridge is there from now on.
    await suite.retake();
  });

  it('is small, also when the API server was away', async () => {
    const agent = start();
    await says('True');
    await server.stop();
    await suite.node.kill9();
    await suite.node.start();
    await server.start();
    await eventually('the watch goes on', LIMIT_MS, () => (server.watchers === 1 ? true : undefined));
    await event('DaemonStarted');
    assert.ok(agent.memory < 100e6, String(agent.memory));
  });
});
