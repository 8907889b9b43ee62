import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { lazyPage } from '../../cri/page/lazy-page.ts';
import { serveMetrics, type MetricsServer } from '../../cri/metrics-server.ts';
import { Metrics } from '../../cri/metrics.ts';
import { busyNode, type BusyNode } from '../fakes/busy-node.ts';
import { leastContrast, overflow, picture, spills, WatchedBrowser } from '../page/browser.ts';
import { eventually } from '../pods.ts';

/*
 * The page over a node with as much on it as a node can have; the rooms below are in memory.
 */

const TEXTS = [
  '.hint',
  '.bad:not(.mark)',
  '.port',
  'code',
  'dt',
  'th',
  'td',
  'nav a',
  'footer a',
  '.legend span',
  '#live',
];

describe('the page of a crowded node', () => {
  const metrics = new Metrics('1.2.3');
  let busy: BusyNode;
  let server: MetricsServer;
  let browser: WatchedBrowser;
  let url: string;

  before(async function () {
    this.timeout(120_000);
    busy = await busyNode({ pods: 110, containers: 300, trouble: true });
    const peers = [1, 2, 3].map((nth) => ({
      name: `node-${nth}`,
      address: `10.0.0.${nth}`,
      podCidrs: [`10.88.${nth}.0/24`],
    }));
    const overlay = {
      node: 'node-0',
      link: 'berth.vxlan',
      address: '10.88.0.0',
      podCidrs: ['10.88.0.0/24'],
      mtu: 1450,
      apiTrouble: '',
      peers,
      refused: [{ name: 'node-4', why: 'its range overlaps with that of node-1' }],
    };
    busy.rooms.network.status = () => ({ ready: true, reason: '', message: '', overlay });
    server = await serveMetrics(metrics, '127.0.0.1:0', { others: lazyPage(busy.rooms, busy.recent) });
    url = `http://127.0.0.1:${server.port}/`;
    browser = await WatchedBrowser.open();
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    metrics.close();
    await server?.close();
  });

  const pods = (page: Page): Promise<number> => page.locator('table.pods tbody').count();
  const until = (page: Page, number: number): Promise<unknown> =>
    eventually(`${number} pods are shown`, 20_000, async () =>
      (await pods(page)) === number ? true : undefined,
    );

  it('has a row for everything, and finds what one looks for', async () => {
    const page = await browser.page(url);
    await until(page, 110);
    assert.equal(await page.locator('tr.container').count(), 300);
    assert.equal(await page.locator('.starts > li').count(), 20);
    await page.locator('#pod-filter').fill('oomkilled');
    const killed = await eventually('the filter works', 20_000, async () => {
      const number = await pods(page);
      return number < 110 ? number : undefined;
    });
    assert.ok(killed > 0);
    assert.equal(await page.locator('#pods-hint').innerText(), `${killed} of 110`);
    await page.locator('#pod-filter').fill('10.88.0.107');
    await until(page, 1);
    await page.locator('#pod-filter').fill('');
    await page.locator('#pod-unwell').check();
    await eventually('the unwell are shown', 20_000, async () => {
      const texts = await page.locator('table.pods tbody').allInnerTexts();
      return texts.length < 110 && texts.every((text) => /not ready|exited 137/.test(text))
        ? true
        : undefined;
    });
    await page.locator('#pod-unwell').uncheck();
    await page.locator('#pod-order').selectOption('newest');
    const [newest] = busy.rooms.pods.sandboxes.keys();
    await eventually('the newest is first', 20_000, async () =>
      (await page.locator('table.pods tbody').first().getAttribute('data-pod')) === newest ? true : undefined,
    );
    await page.context().close();
  });

  it('shows what needs a look, and where other nodes are', async () => {
    const page = await browser.page(url);
    const trouble = await page.locator('#trouble').innerText();
    for (const part of [
      /Debt: network of default\/web/,
      /4 tries: CNI DEL/,
      /Quarantined record: containers 3f2a/,
      /berth check/,
      /cannot lead to node-4/,
    ])
      assert.match(trouble, part);
    assert.match(await page.locator('#verdict').innerText(), /1 debt and 1 quarantined record to look at/);
    assert.match(await page.locator('#network').innerText(), /berth\.vxlan[\s\S]*10\.0\.0\.2[\s\S]*node-2/);
    assert.match(await page.locator('#flights').innerText(), /StopContainer[\s\S]*signal/);
    await page.context().close();
  });

  it('leaves alone what has not changed: what is open stays open, with the focus on it', async () => {
    const page = await browser.page(url);
    const first = page.locator('.images summary').first();
    await first.focus();
    await page.keyboard.press('Enter');
    await page.evaluate(
      "document.querySelectorAll('table.pods tbody').forEach((one) => (one.drawnBefore = true))",
    );
    const [, second] = busy.rooms.pods.sandboxes.keys();
    const pod = busy.rooms.pods.sandbox(second!);
    busy.rooms.pods.sandboxes.set(second!, { ...pod, state: 'notready' });
    // The image is in use by one container less: it is drawn anew.
    const [container] = busy.rooms.pods.containers.values();
    busy.rooms.pods.containers.set(container!.id, { ...container!, imageId: 'sha256:gone' });
    await eventually('the change is shown', 20_000, async () =>
      /not ready/.test(await page.locator(`[data-pod="${second}"]`).innerText()) ? true : undefined,
    );
    const again = await page.evaluate(
      "[...document.querySelectorAll('table.pods tbody')].filter((one) => !one.drawnBefore).length",
    );
    assert.equal(again, 1, 'one pod was drawn anew');
    assert.equal(await page.locator('.images details[open]').count(), 1);
    assert.equal(await page.evaluate("document.activeElement.closest('.images') !== null"), true);
    await page.context().close();
  });

  it('can be gone through by keyboard, and read aloud', async () => {
    const page = await browser.page(url);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the pods');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate('document.activeElement.id'), 'pods');
    const unnamed =
      await page.evaluate(`[...document.querySelectorAll('input, select, progress, nav, table, section')]
      .filter((one) => !(one.labels?.length > 0 || one.caption || one.ariaLabel || one.getAttribute('aria-labelledby'))).map((one) => one.outerHTML.slice(0, 80))`);
    assert.deepEqual(unnamed, []);
    assert.equal(await page.locator('[aria-live], [role=status], [role=alert]').count(), 1);
    const levels = await page
      .locator('h1, h2, h3')
      .evaluateAll((all) => all.map((one) => (one as { tagName: string }).tagName));
    assert.equal(levels.filter((one) => one === 'H1').length, 1);
    await page.context().close();
  });

  for (const colorScheme of ['light', 'dark'] as const)
    it(`is legible when it is ${colorScheme}, on a phone and on a wall`, async () => {
      const page = await browser.page(url, { colorScheme, reducedMotion: 'reduce' });
      for (const texts of TEXTS) assert.ok((await leastContrast(page, texts)) >= 4.5, texts);
      for (const width of [360, 800, 1280, 2200]) {
        await page.setViewportSize({ width, height: 900 });
        assert.equal(await overflow(page), 0, `${width} px`);
        assert.deepEqual(await spills(page), [], `${width} px`);
        await picture(page, `crowd-${width}-${colorScheme}`, false);
      }
      await page.context().close();
    });

  it('has complained about nothing, and asked nobody else', () => {
    assert.deepEqual(browser.complaints, []);
    assert.deepEqual(
      browser.requests.filter((one) => !one.startsWith(url)),
      [],
    );
  });
});
