import assert from 'node:assert/strict';
import { liveDay } from '../kubelet/day.ts';
import { report } from '../kubelet/report.ts';

describe("a kubelet's day, a short one", () => {
  it('passes without an error that a kubelet would not expect, and leaves nothing', async function () {
    this.timeout(600_000);
    const said: string[] = [];
    const result = await liveDay({ pods: 24, phases: 4, phaseSeconds: 9, say: (line) => said.push(line) });
    const { ok, lines } = report(result, false);
    assert.ok(ok, [...said, ...lines].join('\n'));
    // What it has to have lived through to mean anything.
    const { deeds } = result.book;
    for (const deed of [
      'probes: success',
      'probes: failure',
      'probes: timeout',
      'logs rotated',
      'images removed',
      'images pulled',
      'pods evicted',
      'containers resized',
      'containers started again',
      'containers killed for their liveness',
      'sandboxes made anew',
      'sandboxes removed',
      'exec sessions',
      'port-forward sessions',
      'event streams that ended',
    ])
      assert.ok((deeds.get(deed) ?? 0) > 0, `It never came to this: ${deed}`);
  });
});
