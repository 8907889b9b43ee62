import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLog, runPod, statusOf } from '../pods.ts';
import { useNode } from '../use-node.ts';

const AWAY_S = 60;
/** Two hundred lines ten times a second: a pipe that nobody reads is full after a few seconds. */
const CHATTER =
  'i=0; while :; do n=0; while [ $n -lt 200 ]; do echo line $i; i=$((i+1)); n=$((n+1)); done; sleep 0.1; done';

describe('a container logs while the daemon is away', () => {
  const suite = useNode();

  it(`and neither loses a line nor stands still for ${AWAY_S} s`, async function () {
    this.timeout((AWAY_S + 60) * 1000);
    const { node } = suite;
    const { container } = await runPod(node, 'chatty', ['sh', '-c', CHATTER]);
    const { logPath } = await statusOf(node, container);
    await sleep(1000);
    await node.kill9();
    const left = readLog(logPath).length;
    for (let waited = 0; waited < AWAY_S; waited += 10) {
      console.log(`    the daemon has been away for ${waited} s`);
      await sleep(10_000);
    }
    const met = readLog(logPath).length;
    await node.start();
    await sleep(1000);
    await node.client.call('StopContainer', { containerId: container, timeout: 0 });

    const lines = readLog(logPath);
    assert.ok(met - left > AWAY_S * 200, `it went on writing: ${met - left} lines`);
    assert.ok(lines.length > met, 'it went on when the daemon was back');
    lines.forEach(({ content, tag }, index) => assert.deepEqual([content, tag], [`line ${index}`, 'F']));
    const times = lines.map(({ time }) => Date.parse(time));
    const pause = times.reduce(
      (longest, time, index) => Math.max(longest, time - (times[index - 1] ?? time)),
      0,
    );
    assert.ok(pause < 5000, `it stood still for ${pause} ms`);
  });
});
