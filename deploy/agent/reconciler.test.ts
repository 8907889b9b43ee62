import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Api } from '../../kubernetes/api.ts';
import { NodeStore, type NodeObject } from '../../test/kubernetes-node-store.ts';
import type { Json } from '../../test/kubernetes-patches.ts';
import { isOwnLabel } from './labels.ts';
import { CONDITION, nodeViewOf } from './node-view.ts';
import { NodeWriter } from './node-writer.ts';
import { Reconciler, type Wanted } from './reconciler.ts';
import type { Verdict } from './verdict.ts';

const TIMES = { heartbeatMs: 1000, againMs: 10 };
const GOOD: Verdict = { status: 'True', reason: 'DaemonServes', message: 'fine' };
const BAD: Verdict = { status: 'False', reason: 'DaemonUnreachable', message: 'gone' };
const LABELS = { 'berth.dev/version': '1', 'berth.dev/handler.crun': 'true' };

/** A Node in memory, and requests to it that can be made to fail before or after their work. */
class Cluster {
  readonly store = new NodeStore(() => {});
  readonly patches: string[] = [];
  readonly bodies: object[] = [];
  failure: 'before' | 'after' | 429 | undefined;

  constructor() {
    this.store.put('n', { addresses: [] });
    this.edit((node) => {
      node.metadata.labels = { 'kubernetes.io/os': 'linux', 'berth.dev/install': 'yes' };
    });
  }

  readonly api: Api = ({ path, query = {}, body, contentType = '', method = 'GET' }) => {
    const failure = this.failure;
    this.failure = undefined;
    if (failure === 'before') return Promise.reject(new Error('no answer'));
    if (failure === 429) return answer(429, { message: 'slow down' });
    if (method === 'GET') return answer(200, { items: this.store.all() });
    this.bodies.push(body!);
    this.patches.push(`${path.replace('/api/v1/nodes/', '')} ${contentType.replace(/.*\/|\+.*/g, '')}`);
    const [status, said] = this.store.patch('n', body as Json, {
      type: contentType,
      subresource: path.endsWith('/status') ? 'status' : '',
      manager: query['fieldManager']!,
      force: query['force'] === 'true',
      mayCreate: true,
    });
    if (failure === 'after') return Promise.reject(new Error('no answer'));
    return answer(status, said);
  };

  get node(): NodeObject {
    return this.store.get('n')!;
  }

  edit(write: (node: NodeObject) => void): void {
    this.store.change('n', write, 'somebody');
  }

  reconciler(): Reconciler {
    return new Reconciler(new NodeWriter(this.api, 'n', new AbortController().signal), TIMES);
  }

  /** What the others have written. */
  get others(): unknown {
    const { metadata, status, spec } = this.node;
    return {
      labels: Object.entries(metadata.labels ?? {}).filter(([key]) => !isOwnLabel(key)),
      conditions: status.conditions.filter(({ type }) => type !== CONDITION),
      spec,
    };
  }

  get own(): unknown {
    const view = nodeViewOf(this.node)!;
    const { status, reason, message } = view.condition ?? {};
    return { labels: view.labels, verdict: { status, reason, message } };
  }
}

async function answer(status: number, said: object): ReturnType<Api> {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(JSON.stringify(said));
  }
  return { status, retryAfterMs: undefined, body: body() };
}

describe('a Node that is to say what Berth says', () => {
  const wanted: Wanted = { labels: LABELS, verdict: GOOD };

  it('is written once, and a heartbeat later', async () => {
    const cluster = new Cluster();
    const others = cluster.others;
    const one = cluster.reconciler();
    assert.equal(await one.reconcile(wanted, 0), Infinity, 'there is no Node yet');
    one.see(nodeViewOf(cluster.node));
    const next = await one.reconcile(wanted, 0);
    assert.ok(next >= 900 && next <= 1100, String(next));
    assert.deepEqual(cluster.patches, ['n apply-patch', 'n/status apply-patch']);
    assert.deepEqual(cluster.own, { labels: LABELS, verdict: GOOD });
    assert.deepEqual(cluster.others, others);
    one.see(nodeViewOf(cluster.node));
    assert.ok((await one.reconcile(wanted, 100)) <= 1000);
    assert.equal(cluster.patches.length, 2);
    await one.reconcile(wanted, 1101);
    assert.deepEqual(cluster.patches.slice(2), ['n/status apply-patch']);
    await one.reconcile({ ...wanted, verdict: BAD }, 1102);
    assert.deepEqual(cluster.own, { labels: LABELS, verdict: BAD }, 'news do not wait for a heartbeat');
  });

  it('loses labels that are not wanted any more, also those that others own', async () => {
    const cluster = new Cluster();
    const one = cluster.reconciler();
    one.see(nodeViewOf(cluster.node));
    await one.reconcile(wanted, 0);
    cluster.edit((node) => (node.metadata.labels!['berth.dev/handler.kata'] = 'true'));
    one.see(nodeViewOf(cluster.node));
    const rest = { 'berth.dev/version': '2' };
    await one.reconcile({ labels: rest }, 20);
    assert.deepEqual(nodeViewOf(cluster.node)!.labels, rest);
    assert.deepEqual(cluster.patches.slice(2), ['n apply-patch', 'n merge-patch']);
    assert.equal(cluster.node.metadata.labels!['berth.dev/install'], 'yes');
  });

  it('is not fought over: the same is written again after a while only', async () => {
    const cluster = new Cluster();
    const one = cluster.reconciler();
    one.see(nodeViewOf(cluster.node));
    await one.reconcile(wanted, 0);
    cluster.edit((node) => {
      node.metadata.labels!['berth.dev/version'] = 'other';
      node.status.conditions.find(({ type }) => type === CONDITION)!.message = 'other';
    });
    one.see(nodeViewOf(cluster.node));
    assert.equal(await one.reconcile(wanted, 3), 7);
    assert.equal(cluster.patches.length, 2);
    await one.reconcile(wanted, 10);
    assert.deepEqual(cluster.own, { labels: LABELS, verdict: GOOD });
  });

  it('does not go back to what was seen before it was written', async () => {
    const cluster = new Cluster();
    const one = cluster.reconciler();
    const early = nodeViewOf(cluster.node);
    one.see(early);
    await one.reconcile(wanted, 0);
    one.see(early);
    await one.reconcile(wanted, 500);
    assert.equal(cluster.patches.length, 2);
  });

  it('is written anew when it was made anew, and never made', async () => {
    const cluster = new Cluster();
    const one = cluster.reconciler();
    one.see(nodeViewOf(cluster.node));
    await one.reconcile(wanted, 0);
    cluster.store.delete('n');
    await assert.rejects(one.reconcile({ ...wanted, verdict: BAD }, 1), /\(409\): uid mismatch/);
    assert.equal(cluster.store.get('n'), undefined);
    cluster.store.put('n', { addresses: [] });
    await assert.rejects(one.reconcile({ ...wanted, verdict: BAD }, 2), /\(409\): Precondition failed/);
    one.see(undefined);
    one.see(nodeViewOf(cluster.node));
    await one.reconcile(wanted, 3);
    assert.deepEqual(cluster.own, { labels: LABELS, verdict: GOOD });
  });

  it('is left without a trace, also of what others own of it', async () => {
    const cluster = new Cluster();
    const before = cluster.others;
    const one = cluster.reconciler();
    one.see(nodeViewOf(cluster.node));
    await one.reconcile(wanted, 0);
    cluster.edit((node) => {
      node.metadata.labels!['berth.dev/handler.crun'] = 'maybe';
      node.status.conditions.find(({ type }) => type === CONDITION)!.message = 'edited';
    });
    const writer = new NodeWriter(cluster.api, 'n', new AbortController().signal);
    const view = (await writer.read())!;
    await writer.condition(await writer.label(view, {}), undefined);
    const { labels, condition } = nodeViewOf(cluster.node)!;
    assert.deepEqual([labels, condition], [{}, undefined]);
    assert.deepEqual(cluster.others, before);
    const owners = (cluster.node.metadata['managedFields'] as Json[]).map(({ manager }) => manager);
    assert.ok(!owners.includes('berth-agent'), owners.join());
    assert.deepEqual(cluster.bodies.slice(2).map(Object.keys), [
      ['apiVersion', 'kind', 'metadata'],
      ['metadata'],
      ['apiVersion', 'kind', 'metadata'],
      ['metadata', 'status'],
    ]);
    await writer.condition(await writer.label((await writer.read())!, {}), undefined);
  });

  it('ends as wanted, with all of others kept, whoever writes meanwhile and whatever fails', async () => {
    const label = fc.constantFrom('version', 'handler.crun', 'handler.kata', 'default-handler');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('round' as const), agent: fc.nat(1) }),
      fc.record({ kind: fc.constant('see' as const), agent: fc.nat(1) }),
      fc.record({
        kind: fc.constant('fail' as const),
        how: fc.constantFrom('before' as const, 'after' as const, 429 as const),
      }),
      fc.record({ kind: fc.constant('label' as const), label, value: fc.option(fc.constantFrom('a', 'b')) }),
      fc.record({ kind: fc.constant('other' as const), value: fc.constantFrom('x', 'y') }),
      fc.record({ kind: fc.constant('condition' as const), gone: fc.boolean() }),
      fc.record({ kind: fc.constant('anew' as const) }),
      fc.record({ kind: fc.constant('kill' as const), agent: fc.nat(1) }),
    );
    const wish = fc.record({
      labels: fc.dictionary(label, fc.constantFrom('a', 'b')),
      verdict: fc.constantFrom(GOOD, BAD),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step), wish, async (steps, { labels: some, verdict }) => {
        const labels = Object.fromEntries(
          Object.entries(some).map(([key, value]) => [`berth.dev/${key}`, value]),
        );
        const cluster = new Cluster();
        const agents = [cluster.reconciler(), cluster.reconciler()];
        let at = 0;
        for (const one of steps) {
          at += 4;
          if (one.kind === 'see') agents[one.agent]!.see(nodeViewOf(cluster.node));
          if (one.kind === 'kill') agents[one.agent] = cluster.reconciler();
          if (one.kind === 'fail') cluster.failure = one.how;
          if (one.kind === 'anew') {
            cluster.store.delete('n');
            cluster.store.put('n', { addresses: [] });
          }
          if (one.kind === 'round') {
            const others = cluster.others;
            await agents[one.agent]!.reconcile({ labels, verdict }, at).catch(() => {}); // as it was told to
            assert.deepEqual(cluster.others, others);
          }
          cluster.edit((node) => {
            const own = (node.metadata.labels ??= {});
            if (one.kind === 'other') own['berth.dev/install'] = one.value;
            if (one.kind === 'label') {
              if (one.value === null) delete own[`berth.dev/${one.label}`];
              else own[`berth.dev/${one.label}`] = one.value;
            }
            if (one.kind === 'condition')
              node.status.conditions = node.status.conditions
                .filter(({ type }) => type !== CONDITION || !one.gone)
                .map((each) => (each.type === CONDITION ? { ...each, message: 'edited' } : each));
          });
        }
        cluster.failure = undefined;
        at += 10_000;
        for (const one of agents) {
          one.see(nodeViewOf(cluster.node));
          await one.reconcile({ labels, verdict }, at);
        }
        assert.deepEqual(cluster.own, { labels, verdict });
        const patches = cluster.patches.length;
        for (const one of agents) {
          one.see(nodeViewOf(cluster.node));
          await one.reconcile({ labels, verdict }, at + 1);
        }
        assert.equal(cluster.patches.length, patches, 'two agents are content with the same');
      }),
    );
  });
});
