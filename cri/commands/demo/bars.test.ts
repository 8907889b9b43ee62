import assert from 'node:assert/strict';
import { stageBars } from './bars.ts';

describe('bars of a pod start', () => {
  it('begin where the one before ended and fill the width', () => {
    const bars = stageBars(
      [
        { operation: 'RunPodSandbox', stage: 'sandbox', ms: 1 },
        { operation: 'RunPodSandbox', stage: 'network', ms: 3 },
        { operation: 'StartContainer', stage: 'start', ms: 4 },
      ],
      80,
    );
    assert.deepEqual(
      bars.map(({ bar }) => [bar.indexOf(bar.trim()), bar.trim().length]),
      [
        [0, 5],
        [5, 15],
        [20, 20],
      ],
    );
    assert.deepEqual(
      bars.map(({ label }) => label.trim().split(/\s+/)),
      [['RunPodSandbox', 'sandbox'], ['network'], ['StartContainer', 'start']],
    );
  });

  it('show the smallest stage, too', () => {
    const [, tiny] = stageBars(
      [
        { operation: 'StartContainer', stage: 'start', ms: 100 },
        { operation: 'StartContainer', stage: 'commit', ms: 0 },
      ],
      80,
    );
    assert.equal(tiny!.bar.trim(), '▏');
  });
});
