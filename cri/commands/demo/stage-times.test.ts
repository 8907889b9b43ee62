import assert from 'node:assert/strict';
import { stageTimes, timesBetween } from './stage-times.ts';

const PAGE = `# HELP berth_stage_duration_seconds x
# TYPE berth_stage_duration_seconds histogram
berth_stage_duration_seconds_bucket{le="0.001",operation="RunPodSandbox",stage="network"} 1
berth_stage_duration_seconds_sum{operation="RunPodSandbox",stage="network"} 0.0025
berth_stage_duration_seconds_sum{operation="StartContainer",stage="start",outcome="done"} 0.5
berth_stage_duration_seconds_count{operation="RunPodSandbox",stage="network"} 1
`;

describe('stage times from the metrics page', () => {
  it('reads the sums in the order of the stages', () => {
    const times = stageTimes(PAGE);
    const ran = times.filter(({ ms }) => ms > 0);
    assert.deepEqual(ran, [
      { operation: 'RunPodSandbox', stage: 'network', ms: 2.5 },
      { operation: 'StartContainer', stage: 'start', ms: 500 },
    ]);
  });

  it('gives what was added between two pages, for some operations', () => {
    const between = timesBetween(stageTimes(''), stageTimes(PAGE), ['StartContainer']);
    assert.deepEqual(
      between.map(({ stage, ms }) => [stage, ms]),
      [
        ['start', 500],
        ['commit', 0],
      ],
    );
  });
});
