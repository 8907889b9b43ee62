import assert from 'node:assert/strict';
import type { Cluster } from './cluster.ts';
import { whyNotClean, withdraw, withdrawing, type NodePod, type Template } from './withdraw.ts';

const TEMPLATE: Template = {
  metadata: { labels: { app: 'berth' } },
  spec: {
    hostPID: true,
    nodeSelector: { a: 'b' },
    initContainers: [
      {
        name: 'install',
        image: 'berth:1',
        args: ['node', 'install', '--host', '/host', '--settings', '/settings/settings.json'],
        volumeMounts: [{ name: 'host' }],
      },
    ],
    containers: [
      {
        name: 'agent',
        image: 'berth:1',
        args: ['agent'],
        readinessProbe: {},
        volumeMounts: [{ name: 'run-berth' }, { name: 'tmp' }],
      },
    ],
    volumes: [{ name: 'host' }, { name: 'run-berth' }, { name: 'tmp' }],
  },
};

interface Patch {
  path: string;
  value: unknown;
}

/** A DaemonSet behind an API that does what a controller does. */
class FakeCluster implements Cluster {
  template = TEMPLATE;
  strategy: unknown;
  patches = 0;
  pods: NodePod[] = [];
  ready = 0;
  /** Called with each look at the DaemonSet. */
  onLook = (): void => {};

  async request(method: 'GET' | 'PATCH', path: string, more: { body?: object } = {}): Promise<unknown> {
    if (path.endsWith('/pods')) return { items: this.pods };
    assert.equal(path, '/apis/apps/v1/namespaces/ns/daemonsets/berth');
    if (method === 'PATCH') {
      this.patches++;
      for (const { path: at, value } of more.body as Patch[])
        if (at === '/spec/template') this.template = value as Template;
        else this.strategy = value;
    }
    this.onLook();
    return {
      metadata: { generation: 1 + this.patches },
      spec: { template: this.template, selector: { matchLabels: { app: 'berth' } } },
      status: {
        observedGeneration: 1 + this.patches,
        desiredNumberScheduled: this.pods.length,
        updatedNumberScheduled: this.pods.length,
        numberReady: this.ready,
        numberUnavailable: this.pods.length - this.ready,
      },
    };
  }
  node = (): never => assert.fail();
  podsOn = (): never => assert.fail();
  mark = (): never => assert.fail();
}

const cleaning = (nodeName: string, message?: string): NodePod => ({
  spec: { nodeName, initContainers: [{ name: 'uninstall' }] },
  status: {
    phase: 'Pending',
    initContainerStatuses:
      message === undefined ? [] : [{ lastState: { terminated: { exitCode: 1, reason: 'Error', message } } }],
  },
});
const clean = (nodeName: string): NodePod => ({
  ...cleaning(nodeName),
  status: { phase: 'Running', containerStatuses: [{ ready: true }] },
});

describe('the hook before helm uninstall', () => {
  const options = (more: object = {}) => ({
    namespace: 'ns',
    daemonSet: 'berth',
    timeoutMs: 0,
    force: false,
    keepData: false,
    say: () => {},
    ...more,
  });

  it('makes pods that clean up of those that installed', () => {
    const { spec, metadata } = withdrawing(TEMPLATE, { force: true, keepData: true });
    assert.deepEqual(metadata, TEMPLATE['metadata']);
    assert.deepEqual([spec['hostPID'], spec['nodeSelector']], [true, { a: 'b' }]);
    assert.deepEqual(
      spec.initContainers!.map(({ name, args }) => [name, args]),
      [
        ['uninstall', ['node', 'uninstall', '--host', '/host', '--force', '--keep-data']],
        ['leave', ['agent', '--leave']],
      ],
    );
    const [done] = spec.containers;
    assert.deepEqual(done!.args, ['node', 'withdrawn']);
    assert.equal(done!['readinessProbe'], undefined);
    // The kubelet would make the directory again.
    assert.ok(!JSON.stringify(spec).includes('run-berth'));
    assert.throws(() => withdrawing({ spec: { containers: [] } }, options()), /has no installer/);
  });

  it('turns the DaemonSet around once, and is done when all nodes are clean', async () => {
    const cluster = new FakeCluster();
    cluster.pods = [clean('n1'), clean('n2')];
    cluster.ready = 2;
    const said: string[] = [];
    await withdraw(cluster, options({ say: (line: string) => void said.push(line) }));
    assert.deepEqual(said, ['Berth is gone from all 2 nodes']);
    assert.deepEqual(cluster.strategy, {
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: '100%', maxSurge: 0 },
    });
    await withdraw(cluster, options());
    assert.equal(cluster.patches, 1);
  });

  it('names every node that is not clean in time, with the reason', async () => {
    const cluster = new FakeCluster();
    cluster.pods = [
      clean('n1'),
      cleaning('n2', 'berth: 1 pods run: default/web; drain the node first'),
      cleaning('n3'),
      { spec: { nodeName: 'n4', initContainers: [{ name: 'install' }] } },
    ];
    cluster.ready = 1;
    await assert.rejects(withdraw(cluster, options()), (error: Error) => {
      assert.match(error.message, /n2: berth: 1 pods run: default\/web; drain the node first/);
      assert.match(error.message, /n3: the pod is Pending/);
      assert.match(error.message, /n4: the pod that installed is still there/);
      assert.doesNotMatch(error.message, /n1/);
      assert.match(error.message, /--no-hooks/);
      return true;
    });
    assert.equal(whyNotClean(clean('n1')), '');
  });

  it('outlives an API server that is away for a while', async () => {
    const cluster = new FakeCluster();
    cluster.pods = [clean('n1')];
    cluster.ready = 1;
    let looks = 0;
    cluster.onLook = () => {
      // The first look and the patch go well.
      if (++looks === 3) throw new Error('connection refused');
    };
    await withdraw(cluster, options({ timeoutMs: 20_000 }));
    assert.equal(looks, 4);
  });
});
