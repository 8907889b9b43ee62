import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Page } from 'playwright-core';
import type { NodeSnapshot } from '../../cri/page/parts.ts';
import { ImageLibrary } from '../image-library.ts';
import { overflow, picture, WatchedBrowser } from '../page/browser.ts';
import {
  addContainer,
  createContainer,
  eventually,
  podConfig,
  removeAllPods,
  removePod,
  runPod,
  runSandbox,
  waitForExit,
  containerConfig,
} from '../pods.ts';
import { Relay } from '../relay.ts';
import { useNode } from '../use-node.ts';

const PORT = 9464;

describe('the page of a node', () => {
  let relay: Relay;
  let browser: WatchedBrowser;
  let page: Page;
  let url: string;
  // Before those of the node: what a watcher has of the daemon is gone when it is searched for leaks.
  afterEach(() => page.context().close());
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await relay?.[Symbol.asyncDispose]();
  });
  const suite = useNode();

  before(async function () {
    this.timeout(120_000);
    relay = await Relay.open(suite.node.holder, PORT);
    url = `http://127.0.0.1:${relay.port}/`;
    browser = await WatchedBrowser.open();
  });
  beforeEach(async () => {
    page = await browser.page(url);
  });
  const textOf = (selector: string): Promise<string> => page.locator(selector).innerText();
  const shows = (selector: string, pattern: RegExp): Promise<string> =>
    eventually(`${selector} shows ${pattern}`, 20_000, async () => {
      const texts = (await page.locator(selector).allInnerTexts()).join('\n');
      return pattern.test(texts) ? texts : undefined;
    });

  it('says on an empty node what to do next', async () => {
    await shows('#verdict', /^Ready\. No pods yet; nothing is owed\.$/);
    const pods = await textOf('#pod-list');
    assert.match(pods, /no pods on this node yet/);
    assert.match(pods, /crictl runp/);
    assert.match(pods, /berth demo/);
    assert.match(await textOf('#start-list'), /No pod was started since the daemon began/);
    assert.match(
      await textOf('#network-picture'),
      /berth0[\s\S]*10\.88\.0\.0\/16[\s\S]*No pod hangs on it yet/,
    );
    assert.match(await textOf('#flights'), /Nothing is in flight/);
    assert.match(await textOf('#image-list'), /busybox:1/);
    assert.match(await textOf('#node-facts'), /crun default/);
    await picture(page, 'empty');
  });

  it('shows a pod as it comes, lives, and goes', async () => {
    const { node } = suite;
    const portMappings = [{ protocol: 0, containerPort: 80, hostPort: 8080, hostIp: '' }];
    const web = await runPod(node, 'web', ['sleep', '1000'], { pod: { portMappings } });
    const row = `[data-pod="${web.sandbox}"]`;
    const { status } = await node.client.call('PodSandboxStatus', { podSandboxId: web.sandbox });
    const address = status!.network!.ip;
    const shown = await shows(row, /running/);
    assert.match(shown, /default\/\s*web/);
    assert.ok(shown.includes(address));
    assert.match(shown, /8080→80\/tcp/);
    assert.match(shown, /busybox:1/);

    await addContainer(node, web, 'sidecar', ['sleep', '1000']);
    const failing = await addContainer(node, web, 'fails', ['sh', '-c', 'exit 3']);
    await waitForExit(node, failing);
    await shows(`${row} [data-container="fails"]`, /exited 3 .*ago/);
    const again = { metadata: { name: 'fails', attempt: 1 }, logPath: 'fails/1.log' };
    await addContainer(node, web, 'fails', ['sleep', '1000'], again);
    await shows(`${row} [data-container="fails"]`, /running[\s\S]*1 restart[\s\S]*before: exited 3/);

    await shows('#verdict', /^Ready\. 1 pod;/);
    const branch = await shows('#network-picture .branches', /web/);
    assert.ok(branch.includes(address));
    assert.match(branch, /8080→80\/tcp[\s\S]*berth-[0-9a-f]{8}/);

    const start = page.locator('.starts > li').filter({ hasText: 'web' });
    await start.locator('summary').click();
    const waterfall = await start.locator('table').innerText();
    for (const work of [
      /sandbox[\s\S]*reserve [\d.]+ ms/,
      /network/,
      /create main[\s\S]*snapshot/,
      /start main/,
      /create sidecar/,
    ])
      assert.match(waterfall, work);
    assert.match(
      await textOf('#start-list .legend'),
      /Medians[\s\S]*sandbox [\d.]+ ms[\s\S]*start [\d.]+ ms/,
    );
    await picture(page, 'pods');

    await removePod(node, web.sandbox);
    await eventually('the pod is gone from the page', 20_000, async () =>
      (await page.locator(row).count()) === 0 ? true : undefined,
    );
    // How it was started is still worth knowing.
    assert.equal(await start.count(), 1);
  });

  it('shows how far a pull is', async () => {
    const { node, library } = suite;
    const files = [{ path: 'noise', content: randomBytes(24_000_000) }];
    await library.push('slow:1', { layers: [{ files, compression: 'gzip' }] });
    const image = { image: `${ImageLibrary.address}/slow:1` };
    // So slow that there is something to see.
    await node.exec([
      'tc',
      'qdisc',
      'add',
      'dev',
      'lo',
      'root',
      'tbf',
      'rate',
      '50mbit',
      'burst',
      '256kb',
      'latency',
      '500ms',
    ]);
    try {
      const pulled = node.client.call('PullImage', { image });
      await shows(
        '#pulls',
        /Pulling 127\.0\.0\.1:5000\/slow:1[\s\S]*fetch, 0 of 1 layers, [\d.]+ MB of 24\.0 MB/,
      );
      const share = await page.locator('#pulls progress').getAttribute('value');
      assert.ok(Number(share) > 0 && Number(share) < 100, `it stands at ${share}`);
      await picture(page, 'pull');
      await pulled;
    } finally {
      await node.exec(['tc', 'qdisc', 'del', 'dev', 'lo', 'root']);
    }
    await shows('#image-list', /slow:1/);
    assert.equal(await page.locator('#pulls progress').count(), 0);
    await node.client.call('RemoveImage', { image });
    await eventually('the image is gone from the page', 20_000, async () =>
      /slow:1/.test(await textOf('#image-list')) ? undefined : true,
    );
  });

  it('shows names as texts, whatever they say', async () => {
    const { node } = suite;
    const evil = '<script>alert(1)</script>';
    const pod = podConfig(node, 'hostile', {});
    pod.metadata = { ...pod.metadata, name: evil, namespace: '"><img src=x onerror=alert(2)>' };
    const sandbox = await runSandbox(node, pod);
    const name = "<b onclick='alert(3)'>&amp;";
    const config = containerConfig('harmless', ['sleep', '1000'], { metadata: { name, attempt: 0 } });
    const containerId = await createContainer(sandbox, node, config, pod);
    await node.client.call('StartContainer', { containerId });
    const shown = await shows(`[data-pod="${sandbox}"]`, /running/);
    assert.ok(
      shown.includes(evil) && shown.includes('<img src=x onerror=alert(2)>') && shown.includes(name),
      shown,
    );
    await shows('#network-picture', /<script>alert\(1\)/);
    await shows('.starts', /<script>alert\(1\)/);
    assert.equal(await page.locator('main script, main img, main b[onclick]').count(), 0);
    await page.locator('#pod-filter').fill('<SCRIPT');
    await shows('#pods-hint', /^1$/);
    await page.locator('#pod-filter').fill('no such pod');
    await shows('#pod-list', /No pod fits the filter/);
    await page.locator('#pod-filter').fill('');
    await removeAllPods(node);
  });

  it('comes back by itself when the daemon does', async () => {
    const { node } = suite;
    const { sandbox } = await runPod(node, 'stays', ['sleep', '1000']);
    const row = `[data-pod="${sandbox}"]`;
    await shows(row, /running/);
    browser.daemonIsAway = true;
    for (const end of [() => node.stop(), () => node.kill9()]) {
      await end();
      await shows('#live', /does not answer\. Pods live on/);
      assert.equal(await page.locator(row).count(), 1, 'what was known is still there');
      await picture(page, 'away');
      await node.start();
      await shows('#live', /^live$/);
      await shows(row, /running/);
    }
    browser.daemonIsAway = false;
    await addContainer(node, { sandbox, container: '', pod: podConfig(node, 'stays'), config: {} }, 'later', [
      'sleep',
      '1000',
    ]);
    await shows(row, /later/);
  });

  it('pauses while nobody sees it', async () => {
    const show = (hidden: boolean): Promise<unknown> =>
      page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));`);
    const streams = (): number => browser.requests.filter((one) => one.endsWith('/api/events')).length;
    await shows('#live', /^live$/);
    const before = streams();
    await show(true);
    await shows('#live', /^paused$/);
    const { sandbox } = await runPod(suite.node, 'unseen', ['sleep', '1000']);
    assert.equal(streams(), before);
    await show(false);
    await shows(`[data-pod="${sandbox}"]`, /running/);
    await shows('#live', /^live$/);
    assert.equal(streams(), before + 1);
  });

  it('says the same as JSON and as berth status', async () => {
    const { node } = suite;
    await runPod(node, 'counted', ['sleep', '1000']);
    const answer = await node.exec(['busybox', 'wget', '-qO-', `http://127.0.0.1:${PORT}/api/node`]);
    const snapshot = JSON.parse(answer) as NodeSnapshot;
    assert.deepEqual(
      snapshot.pods.map(({ name, state, containers }) => [name, state, containers.map((one) => one.state)]),
      [['counted', 'ready', ['running']]],
    );
    assert.equal(snapshot.starts.starts.find(({ name }) => name === 'counted')?.outcome, 'done');
    assert.doesNotMatch(answer, /KUBERNETES_SERVICE_HOST|10\.96\.0\.1|sleep/);
    const told = await node.berth('status');
    assert.match(told, /^Pods +1 ready, 0 not ready$/m);
    assert.ok(told.includes(snapshot.node.version));
  });

  it('fits a phone and a wall, in the dark and in the light', async () => {
    const { node } = suite;
    await runPod(
      node,
      'a-pod-with-a-name-as-long-as-kubernetes-lets-it-be-7d9c5b6f4-x2x4z',
      ['sleep', '1000'],
      {
        pod: {
          hostname: 'long',
          portMappings: [{ protocol: 0, containerPort: 80, hostPort: 8081, hostIp: '127.0.0.1' }],
        },
      },
    );
    const paper: string[] = [];
    for (const [width, height] of [
      [360, 780],
      [2560, 1440],
    ] as const)
      for (const colorScheme of ['light', 'dark'] as const) {
        const one = await browser.page(url, { viewport: { width, height }, colorScheme });
        await one.locator('.starts summary').first().click();
        assert.equal(await overflow(one), 0, `${width} px, ${colorScheme}`);
        paper.push(await one.evaluate('getComputedStyle(document.documentElement).backgroundColor'));
        await picture(one, `${width === 360 ? 'phone' : 'wall'}-${colorScheme}`);
        await one.context().close();
      }
    assert.deepEqual([paper[0], paper[1]], [paper[2], paper[3]]);
    assert.notEqual(paper[0], paper[1]);
  });

  it('has complained about nothing, and asked nobody else', () => {
    assert.deepEqual(browser.complaints, []);
    assert.deepEqual(browser.dialogs, []);
    assert.ok(browser.requests.length > 10);
    assert.deepEqual(
      browser.requests.filter((one) => !one.startsWith(url)),
      [],
    );
  });
});

describe('the page of a node whose metrics are for all', () => {
  const suite = useNode({ image: false, config: { metrics: { listen: `0.0.0.0:${PORT}` } } });

  it('is not there, and the metrics are', async () => {
    const { node } = suite;
    const ask = (path: string): Promise<string> =>
      node.exec(['busybox', 'wget', '-qO-', `http://127.0.0.1:${PORT}${path}`]);
    assert.match(await ask('/metrics'), /^berth_sandboxes/m);
    for (const path of ['/', '/api/node', '/api/events']) await assert.rejects(ask(path), /404/, path);
  });
});
