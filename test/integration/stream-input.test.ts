import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { runPod } from '../pods.ts';
import { textOf } from '../remote-command.ts';
import { useStreams } from '../use-streams.ts';

describe('much input', function () {
  this.timeout(60_000);
  const suite = useStreams();

  it('reaches a command over a WebSocket, message by message', async () => {
    const { container } = await runPod(suite.node, 'input', ['sleep', '1000']);
    const bytes = Buffer.alloc(20_000_000, 'input');
    const command = await suite.streams.webSocketExec(container, ['sha256sum'], { stdin: true });
    command.stdin.end(bytes);
    assert.equal(
      (await textOf(command.stdout)).slice(0, 64),
      createHash('sha256').update(bytes).digest('hex'),
    );
    assert.equal(await command.exitCode(), 0);
  });
});
