import assert from 'node:assert/strict';
import { fuzz } from '../../test/streaming-fuzz.ts';

describe('streaming: parsers stand', function () {
  this.timeout(60_000);

  for (const way of ['spdy', 'websocket', 'tunnel'] as const)
    it(`10,000 mutated frames over ${way}`, async () => {
      const { inputs, connections, commands, grownBytes } = await fuzz(way, 10_000, 1);
      assert.equal(inputs, 10_000);
      assert.ok(connections > 100, 'the server ended some connections');
      if (way !== 'tunnel') assert.ok(commands > 20, `only ${commands} commands were run`);
      assert.ok(grownBytes < 16 * 2 ** 20, `grew by ${grownBytes} bytes`);
    });
});
