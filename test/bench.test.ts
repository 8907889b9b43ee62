import assert from 'node:assert/strict';
import { LIFE_MEASURES, type LifeMeasure } from './bench/lifecycle.ts';
import { readOptions } from './bench/options.ts';
import { quantiles, type Quantiles } from './bench/quantiles.ts';
import type { Results } from './bench/results.ts';
import { renderResults, renderVerdicts } from './bench/table.ts';
import { verdicts } from './bench/targets.ts';

function lifecycleOf(ms: number): Record<LifeMeasure, Quantiles> {
  const same = { p50: ms, p90: ms * 2, samples: 3 };
  return Object.fromEntries(LIFE_MEASURES.map((measure) => [measure, same])) as Record<
    LifeMeasure,
    Quantiles
  >;
}

const RESULTS: Results = {
  date: '2026-01-01T00:00:00.000Z',
  machine: { cpus: 2, cpu: 'x', kernel: '6', memoryMiB: 1024, versions: { node: '26' } },
  pods: 3,
  lifecycle: {
    'berth crun': lifecycleOf(10),
    'containerd runc': lifecycleOf(100),
    'containerd crun': lifecycleOf(50),
  },
  pulls: {
    gzip: {
      berth: { p50: 9, p90: 9, samples: 1 },
      containerd: { p50: 10, p90: 10, samples: 1 },
    },
    zstd: {
      berth: { p50: 5.5, p90: 9, samples: 1 },
      containerd: { p50: 10, p90: 10, samples: 1 },
    },
  },
  pullBounds: { fetchedForFive: 1, stallMs: 12, growthMiB: 90, listMs: 3 },
};

describe('the benchmark', () => {
  it('takes nearest-rank quantiles', () => {
    assert.deepEqual(quantiles([4, 1, 3, 2, 10, 6, 7, 8, 9, 5]), { p50: 5, p90: 9, samples: 10 });
    assert.deepEqual(quantiles([7]), { p50: 7, p90: 7, samples: 1 });
    assert.throws(() => quantiles([]));
  });

  it('holds each ratio against its target', () => {
    const judged = verdicts(RESULTS).map(({ what, peer, ok }) => [what, peer?.name, ok]);
    assert.deepEqual(judged, [
      ['RunPodSandbox', 'containerd runc', false],
      ['pod start', 'containerd runc', true],
      ['pod start', 'containerd crun', true],
      ['pod stop and remove', 'containerd runc', true],
      ['pod stop and remove', 'containerd crun', true],
      ['ExecSync', 'containerd runc', true],
      ['ExecSync', 'containerd crun', true],
      ['pull, gzip', 'containerd', false],
      ['pull, zstd', 'containerd', true],
      ['bytes that five callers of one image cost', undefined, true],
      ['longest stall while images are pulled', undefined, true],
      ['memory that a pull of 2 GiB adds', undefined, false],
      ['list of 1,000 images', undefined, true],
    ]);
  });

  it('draws tables with a ratio to each peer', () => {
    const text = renderResults(RESULTS);
    assert.match(text, /^RunPodSandbox +10\.0 \/ 20\.0 +100 \/ 200 +50\.0 \/ 100 +0\.100 +0\.200$/m);
    assert.match(text, /^gzip +9\.00 +10\.0 +0\.900$/m);
    assert.match(renderVerdicts(verdicts(RESULTS)), /RunPodSandbox .* 0\.100 +≤ 0\.06 +missed$/m);
  });

  it('holds streams against the runtime and its pipe, and shows the CPU time', () => {
    const times = (seconds: number, cpu: number): { wall: Quantiles; cpu: number } => ({
      wall: { p50: seconds, p90: seconds, samples: 1 },
      cpu,
    });
    const both = { spdy: times(0.3, 0.5), websocket: times(0.5, 0.6), pipe: times(0.2, 0) };
    const { date, machine, pods } = RESULTS;
    const results = { date, machine, pods, streaming: { mebibytes: 256, output: both, input: both } };
    assert.deepEqual(
      verdicts(results).map(({ what, ok }) => [what, ok]),
      [
        ['256 MiB of output, spdy', true],
        ['256 MiB of output, websocket', false],
      ],
    );
    assert.match(renderResults(results), /^output, spdy +0\.30 +0\.20 +0\.667 +0\.50$/m);
  });

  it('holds the start of the release against its bounds', () => {
    const { date, machine, pods } = RESULTS;
    const starts = {
      'berth, release': { ms: { p50: 260, p90: 300, samples: 3 }, residentMiB: 50, anonymousMiB: 30 },
      containerd: { ms: { p50: 100, p90: 120, samples: 3 }, residentMiB: 60, anonymousMiB: 20 },
    };
    assert.deepEqual(
      verdicts({ date, machine, pods, starts }).map(({ what, ok }) => [what, ok]),
      [
        ['start to serving', false],
        ['memory at rest', true],
      ],
    );
    assert.match(
      renderResults({ date, machine, pods, starts }),
      /^containerd +100 \/ 120 +60\.0 \(20\.0\)$/m,
    );
  });

  it('reads its command line', () => {
    const options = readOptions(['--only', 'pull,memory', '--pods', '5', '--quick'], '/tmp');
    assert.deepEqual([...options!.parts], ['pull', 'memory']);
    assert.equal(options!.pods, 5);
    assert.equal(options!.json, '/tmp/berth-bench.json');
    assert.throws(() => readOptions(['--pods', 'x'], '/tmp'), /--pods takes a whole number/);
    assert.throws(() => readOptions(['--only', 'x'], '/tmp'), /no part x/);
    assert.equal(readOptions(['--help'], '/tmp'), undefined);
  });
});
