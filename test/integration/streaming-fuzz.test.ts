import assert from 'node:assert/strict';
import { fuzz } from '../streaming-fuzz.ts';

describe('a million mutated frames for the streaming server', function () {
  this.timeout(600_000);

  const shares = { spdy: 500_000, websocket: 300_000, tunnel: 200_000 } as const;
  for (const [way, count] of Object.entries(shares) as ['spdy' | 'websocket' | 'tunnel', number][])
    it(`${count} of them over ${way}, without a crash and without growth`, async () => {
      const { inputs, connections, grownBytes } = await fuzz(way, count, 20_26);
      assert.equal(inputs, count);
      assert.ok(connections > 1000, 'the server ended some connections');
      assert.ok(grownBytes < 16 * 2 ** 20, `grew by ${grownBytes} bytes`);
    });
});
