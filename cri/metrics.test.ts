import assert from 'node:assert/strict';
import { get } from 'node:http';
import { sleep } from '../ground/wait.ts';
import { FakePods } from '../test/fakes/rooms.ts';
import { serveMetrics, type MetricsServer } from './metrics-server.ts';
import { Metrics } from './metrics.ts';
import { StageWatch } from './stage-watch.ts';

describe('the metrics', () => {
  let metrics: Metrics;
  let server: MetricsServer;

  const page = (path = '/metrics'): Promise<{ status: number | undefined; text: string }> =>
    new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port: server.port, path }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => resolve({ status: response.statusCode, text }));
      }).on('error', reject);
    });

  beforeEach(async () => {
    metrics = new Metrics('1.2.3');
    server = await serveMetrics(metrics, '127.0.0.1:0');
  });
  afterEach(async () => {
    metrics.close();
    await server.close();
  });

  it('call everything a counter that is called a total', async () => {
    const pods = new FakePods();
    metrics.addCensus(() => pods.census());
    const { text } = await page();
    const wrong = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].filter(
      ([, name, type]) => name!.endsWith('_total') !== (type === 'counter'),
    );
    assert.deepEqual(
      wrong.map(([line]) => line),
      [],
    );
  });

  it('follow the pulls, each only while it runs', async () => {
    const progress = { layersDone: 1, layersTotal: 2, bytesDone: 70, bytesTotal: 100, layers: [] };
    const running = [
      { image: 'reg.example/x:1', stage: 'fetch' as const, sinceMs: 1, progress },
      { image: 'reg.example/y:1', stage: 'resolve' as const, sinceMs: 1, progress: undefined },
    ];
    const totals = { bytesFetched: 12345, done: 3, failed: 1 };
    metrics.addPulls(() => ({ running, totals }));
    const { text } = await page();
    for (const line of [
      /^berth_image_pulls_running 2$/m,
      /^berth_image_fetched_bytes_total 12345$/m,
      /^berth_image_pulls_total\{outcome="done"\} 3$/m,
      /^berth_image_pulls_total\{outcome="failed"\} 1$/m,
      /^berth_image_pull_done_bytes\{image="reg.example\/x:1"\} 70$/m,
      /^berth_image_pull_size_bytes\{image="reg.example\/x:1"\} 100$/m,
    ])
      assert.match(text, line);
    running.length = 0;
    const { text: later } = await page();
    assert.match(later, /^berth_image_pulls_running 0$/m);
    assert.match(later, /^berth_image_fetched_bytes_total 12345$/m);
    assert.doesNotMatch(later, /reg\.example/);
  });

  it('measure calls, stages, counts and the process', async () => {
    const pods = new FakePods();
    metrics.addCensus(() => pods.census());
    metrics.rpc('RunPodSandbox', 'OK', 0.02);
    const stages = new StageWatch(metrics);
    stages.enter('RunPodSandbox', 'a', 'sandbox');
    stages.enter('RunPodSandbox', 'a', 'network');
    stages.enter('StopContainer', 'b', 'signal');
    await sleep(5);
    assert.deepEqual(
      stages.inFlight().map(({ operation, id, stage }) => [operation, id, stage]),
      [
        ['RunPodSandbox', 'a', 'network'],
        ['StopContainer', 'b', 'signal'],
      ],
    );
    stages.leave('RunPodSandbox', 'a', 'failed');
    stages.leave('StopContainer', 'b', 'done');
    stages.leave('StopContainer', 'never entered', 'failed');
    assert.deepEqual(stages.inFlight(), []);
    const { status, text } = await page();
    assert.equal(status, 200);
    for (const line of [
      /^berth_rpc_duration_seconds_count\{rpc="RunPodSandbox",code="OK"\} 1$/m,
      /^berth_rpc_duration_seconds_bucket\{le="0\.01",rpc="RunPodSandbox",code="OK"\} 0$/m,
      /^berth_stage_duration_seconds_count\{operation="RunPodSandbox",stage="network"\} 1$/m,
      /^berth_stage_failures_total\{operation="RunPodSandbox",stage="network"\} 1$/m,
      /^berth_sandboxes\{state="ready"\} 0$/m,
      /^berth_containers\{state="unknown"\} 0$/m,
      /^berth_children 0$/m,
      /^berth_operations_in_flight 1$/m,
      /^berth_build_info\{version="1\.2\.3"\} 1$/m,
      /^process_resident_memory_bytes \d{7,}$/m,
      /^process_open_fds \d+$/m,
    ])
      assert.match(text, line);
  });

  it('count stalls of the event loop', async () => {
    const value = async (name: string): Promise<number> =>
      Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await page()).text)?.[1]);
    metrics.watchLoop();
    const before = await value('berth_event_loop_stalls_total');
    const until = performance.now() + 80;
    while (performance.now() < until);
    // The timer that was due meanwhile.
    await sleep(0);
    assert.ok((await value('berth_event_loop_stalls_total')) > before);
    for (const which of ['max', 'p50', 'p99'])
      assert.ok((await value(`nodejs_eventloop_lag_${which}_seconds`)) >= 0);
  });

  it('answer nothing but their page, and say so when the address is taken', async () => {
    assert.equal((await page('/')).status, 404);
    await assert.rejects(serveMetrics(metrics, `127.0.0.1:${server.port}`), /EADDRINUSE.*\[metrics\] listen/);
  });
});
