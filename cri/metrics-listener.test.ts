import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { SILENT } from '../ground/log.ts';
import { MetricsListener } from './metrics-listener.ts';

describe("the metrics' listener", () => {
  const closed: string[] = [];
  const listener = (): MetricsListener =>
    new MetricsListener({
      async open(listen) {
        if (listen.startsWith('192.0.2.')) throw new Error('no such address here');
        return {
          port: Number(listen.split(':').at(-1)) || 40_123,
          close: async () => void closed.push(listen),
        };
      },
      hasPage: (listen) => listen.startsWith('127.') || listen.startsWith('[::1]'),
      log: SILENT,
    });
  beforeEach(() => (closed.length = 0));

  it('says where metrics and page are, with the port that it has got', async () => {
    const one = listener();
    assert.deepEqual(one.urls, { metrics: '', page: '' });
    await one.move('127.0.0.1:0');
    assert.deepEqual(one.urls, {
      metrics: 'http://127.0.0.1:40123/metrics',
      page: 'http://127.0.0.1:40123/',
    });
    await one.move('[::1]:9464');
    assert.equal(one.urls.page, 'http://[::1]:9464/');
    assert.deepEqual(closed, ['127.0.0.1:0']);
  });

  it('has no page where none is served, and is at the name of the node when it listens everywhere', async () => {
    const one = listener();
    for (const listen of ['0.0.0.0:9464', '[::]:9464']) {
      await one.move(listen);
      assert.deepEqual(one.urls, { metrics: `http://${hostname()}:9464/metrics`, page: '' });
    }
  });

  it('stays where it is when it cannot move, and is nowhere when it is told so', async () => {
    const one = listener();
    await one.move('127.0.0.1:9464');
    assert.equal(await one.move('192.0.2.1:9464'), false);
    assert.equal(one.urls.page, 'http://127.0.0.1:9464/');
    assert.deepEqual(closed, []);
    assert.equal(await one.move(''), true);
    assert.deepEqual(one.urls, { metrics: '', page: '' });
    assert.deepEqual(closed, ['127.0.0.1:9464']);
  });
});
