import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../test/fakes/node-network.ts';
import { Authority } from '../../test/certificates.ts';
import { KubernetesNodesServer } from '../../test/kubernetes-nodes-server.ts';
import { apiServer } from '../../kubernetes/api.ts';
import type { WatchTimes } from '../../kubernetes/following.ts';
import { kubeconfigLogin } from '../../kubernetes/kubeconfig.ts';
import { followNodes } from './kubernetes-nodes.ts';
import type { ClusterNode } from './cluster-node.ts';

/** Short enough for tests; what is measured is what happens, not when. */
const QUICK: Partial<WatchTimes> = { pauseMs: 5, longestPauseMs: 20, shortestWatchMs: 50 };

describe('the nodes of a cluster, followed', function () {
  this.timeout(60_000);
  let directory: string;
  let server: KubernetesNodesServer;
  let stop: AbortController;
  let running: Promise<void>;
  let troubles: string[];
  let reports: ClusterNode[][];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-nodes-'));
    server = new KubernetesNodesServer();
    await server.start();
    server.put('a', { addresses: ['192.0.2.1', '2001:db8::1'], podCIDRs: ['10.1.1.0/24', 'fd00:1::/64'] });
    server.put('b', { addresses: ['192.0.2.2'] });
    stop = new AbortController();
    running = Promise.resolve();
    troubles = [];
    reports = [];
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await server.stop();
    rmSync(directory, { recursive: true });
  });

  const kubeconfig = (): string => join(directory, 'kubeconfig');
  function follow(times: Partial<WatchTimes> = {}, text = server.kubeconfig('127.0.0.1')): void {
    writeFileSync(kubeconfig(), text);
    running = followNodes(
      apiServer(kubeconfigLogin(kubeconfig())),
      (report) => ('nodes' in report ? reports.push(report.nodes) : troubles.push(report.trouble)),
      stop.signal,
      { ...QUICK, ...times },
    );
  }
  const names = (): string => (reports.at(-1) ?? []).map(({ name }) => name).join(' ');
  const watching = (): Promise<void> => until(() => server.watchers === 1, 20_000);
  const lists = (): number => server.requests.filter((request) => request === 'list').length;

  it('lists, watches from the version of the list, and tells only what matters', async () => {
    follow();
    await watching();
    assert.deepEqual(reports, [
      [
        { name: 'a', addresses: ['192.0.2.1', '2001:db8::1'], podCidrs: ['10.1.1.0/24', 'fd00:1::/64'] },
        { name: 'b', addresses: ['192.0.2.2'], podCidrs: [] },
      ],
    ]);
    assert.deepEqual(server.requests, ['list', 'watch 3']);
    assert.equal(server.headers.authorization, 'Bearer secret-token');
    server.put('b', { addresses: ['192.0.2.2'], beat: 1 });
    server.put('b', { addresses: ['192.0.2.9'], podCIDRs: ['10.1.2.0/24'] });
    await until(() => reports.length > 1);
    assert.deepEqual(reports.at(-1)![1], { name: 'b', addresses: ['192.0.2.9'], podCidrs: ['10.1.2.0/24'] });
    server.delete('a');
    await until(() => names() === 'b');
    server.put('c', { addresses: [] });
    await until(() => names() === 'b c');
    assert.deepEqual(troubles, ['']);
  });

  it('takes a list of many pages, and begins anew when it expires on the way', async () => {
    for (let i = 0; i < 600; i++) server.put(`n${i}`, { addresses: ['192.0.2.3'] });
    follow();
    await watching();
    assert.equal(reports.at(-1)!.length, 602);
    assert.deepEqual(server.requests.slice(0, 3), ['list', 'list continue', 'list continue']);
  });

  it('goes on from the last version after an end, a drop and a bookmark, without a list', async () => {
    follow();
    await watching();
    server.put('c', { addresses: [] });
    await until(() => names() === 'a b c');
    server.endWatches();
    await until(() => server.requests.length === 3);
    await watching();
    server.pass();
    server.pass();
    server.bookmark();
    await new Promise((resolve) => setTimeout(resolve, 50)); // the bookmark is on its way and leaves no trace but the next request
    server.drop();
    await until(() => server.requests.length === 4);
    await watching();
    assert.deepEqual(server.requests, ['list', 'watch 3', 'watch 4', 'watch 6']);
    server.delete('c');
    await until(() => names() === 'a b');
  });

  for (const by of ['event', 'status'] as const)
    it(`lists anew when the version has expired, told by ${by}`, async () => {
      server.expiryBy = by;
      follow();
      await watching();
      await server.stop();
      server.delete('b');
      server.expire();
      await server.start();
      await until(() => names() === 'a', 20_000);
      await watching();
      assert.equal(lists(), 2);
      assert.equal(troubles.at(-1), '');
    });

  it('leaves a server alone that asks for it', async () => {
    server.refuse(429, 'too many requests', { 'Retry-After': '1' });
    const begun = performance.now();
    follow();
    await watching();
    assert.ok(performance.now() - begun >= 1000, 'waited for what the server said');
    assert.match(troubles[0]!, /429.*too many requests/);
    assert.deepEqual(server.requests, ['list', 'list', 'watch 3']);
  });

  it('waits while the server is away, keeps what it knows, and hears what was missed', async () => {
    follow();
    await watching();
    await server.stop();
    await until(() => /does not answer.*ECONNREFUSED/.test(troubles.at(-1)!));
    server.put('c', { addresses: ['192.0.2.7'] });
    assert.equal(reports.length, 1, 'nothing was forgotten');
    await server.start();
    await until(() => names() === 'a b c', 20_000);
    assert.equal(lists(), 1, 'the watch went on');
    assert.equal(troubles.at(-1), '');
  });

  it('says what it is not allowed to do, and what to try', async () => {
    server.refuse(403, 'nodes is forbidden: User "x" cannot list resource "nodes"');
    follow();
    await watching();
    assert.match(troubles[0]!, /403.*cannot list.*right to list and watch all nodes/);
  });

  it('leaves a watch that has fallen silent, and one that nobody answers', async () => {
    follow({ silenceMs: 60 });
    await until(() => server.requests.length >= 4, 20_000);
    assert.equal(lists(), 1);
    assert.match(troubles[1]!, /fallen silent/);
  });

  it('slows down when watches end at once', async () => {
    server.endsAtOnce = true;
    follow({ pauseMs: 20, longestPauseMs: 20 });
    await until(() => troubles.includes('The API server ends watches at once'), 20_000);
    server.endsAtOnce = false;
    await watching();
  });

  it('lists anew after a line that it cannot read, and for a look at all now and then', async () => {
    follow();
    await watching();
    server.raw('{"type":"MODIF\n');
    await until(() => lists() === 2);
    await watching();
    stop.abort();
    await running;
    stop = new AbortController();
    follow({ resyncMs: 1 });
    await watching();
    await new Promise((resolve) => setTimeout(resolve, 5)); // past the time of the look
    const before = lists();
    server.bookmark();
    await until(() => lists() > before);
  });

  it('ends at once when it is told to, in the middle of a connection that hangs', async () => {
    server.refuse(200, ''); // a Status instead of a list: refused as such
    follow({ pauseMs: 60_000, longestPauseMs: 60_000 });
    await until(() => troubles.length === 1);
    assert.match(troubles[0]!, /something else than a list/);
    stop.abort();
    await running;
  });

  it('reads the kubeconfig anew for each connection, and knows its certificates', async () => {
    const authority = new Authority(directory);
    const { cert, key } = authority.issue('server', ['IP:127.0.0.1']);
    const client = authority.issue('client');
    await using secure = new KubernetesNodesServer({ ca: authority.ca, cert, key });
    await secure.start();
    secure.put('z', { addresses: [] });
    follow({}, 'not: a: kubeconfig');
    await until(() => troubles.length === 1);
    assert.match(troubles[0]!, /kubeconfig .* cannot be read/);
    writeFileSync(kubeconfig(), secure.kubeconfig('127.0.0.1'));
    await until(() => troubles.some((text) => /does not answer/.test(text)));
    writeFileSync(kubeconfig(), secure.kubeconfig('127.0.0.1', client));
    await until(() => names() === 'z', 20_000);
  });
});
