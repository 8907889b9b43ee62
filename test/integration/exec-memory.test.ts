import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { heapOf, probeEnvironment } from '../kubelet/daemon-weight.ts';
import { runPod } from '../pods.ts';
import { bytesOf } from '../remote-command.ts';
import { useStreams } from '../use-streams.ts';

/** Each of them has two buffers of 128 KiB while it lasts. */
const SESSIONS = 60;

describe('sessions that are over', () => {
  const directory = mkdtempSync('/tmp/berth-heap-');
  const env = probeEnvironment(directory);
  const suite = useStreams({ env });
  after(() => rmSync(directory, { recursive: true }));

  it('are forgotten, however long their container lives', async () => {
    const { node, streams } = suite;
    const { container } = await runPod(node, 'long', ['sleep', '1000']);
    const session = async (index: number): Promise<void> => {
      const line = ['echo', 'well'];
      const command =
        index % 2 === 0 ? await streams.exec(container, line) : await streams.webSocketExec(container, line);
      const [stdout, code] = await Promise.all([bytesOf(command.stdout), command.exitCode()]);
      assert.deepEqual([stdout.toString(), code], ['well\n', 0]);
      streams.hangUp();
    };
    for (let index = 0; index < 10; index++) await session(index);
    const before = await heapOf(node, env['BERTH_HEAP_FILE']!);
    for (let index = 0; index < SESSIONS; index++) await session(index);
    const grown = (await heapOf(node, env['BERTH_HEAP_FILE']!)) - before;
    // Kept, they are 15 MiB. The code that they run for the first time, and its caches, are one or two.
    assert.ok(grown < 5, `The daemon has grown by ${grown.toFixed(1)} MiB`);
  });
});
