import assert from 'node:assert/strict';
import type { PulledLayer } from '../proto/codec.js';
import { PullBars, pullLines } from './pull-bars.ts';

const layer = (name: string, state: string, done: number, total: number): PulledLayer => ({
  digest: `sha256:${name.padEnd(64, '0')}`,
  state,
  bytesDone: BigInt(done),
  bytesTotal: BigInt(total),
});

describe('the bars of a pull', () => {
  const layers = [
    layer('aaaa', 'done', 1000, 1000),
    layer('bbbb', 'fetching', 1_500_000, 4_000_000),
    layer('cccc', 'waiting', 0, 2_000_000),
  ];

  it('show each layer, and all of them', () => {
    assert.deepEqual(pullLines(layers, 69, 10, 1500), [
      'aaaa00000000  done       ▕████████████████████▏     1.0 kB / 1.0 kB',
      'bbbb00000000  fetching   ▕███████▌            ▏     1.5 MB / 4.0 MB',
      'cccc00000000  waiting    ▕                    ▏        0 B / 2.0 MB',
      '1 of 3 layers, 1.5 MB of 6.0 MB, 1.0 MB/s',
    ]);
  });

  it('leave out what is done where the terminal is low', () => {
    const lines = pullLines(layers, 80, 2, 0);
    assert.deepEqual(
      lines.map((line) => line.slice(0, 4)),
      ['bbbb', 'cccc', '1 of'],
    );
  });

  const written = (isTTY: boolean): { text: string; bars: PullBars } => {
    const out = { text: '', bars: undefined as unknown as PullBars };
    out.bars = new PullBars({
      isTTY,
      columns: 80,
      rows: 24,
      write: (text: unknown) => ((out.text += String(text)), true),
    });
    return out;
  };

  it('are drawn over each other on a terminal', () => {
    const out = written(true);
    out.bars.show([]);
    out.bars.show(layers);
    out.bars.show(layers.slice(0, 1));
    const [, again] = out.text.split('\x1b[4A');
    assert.equal(out.text.split('\n').length - 1, 4 + 4);
    assert.ok(again!.endsWith('\x1b[K\n\x1b[K\n\x1b[2A'), JSON.stringify(again));
  });

  it('become lines elsewhere, one for each change', () => {
    const out = written(false);
    out.bars.show(layers);
    out.bars.show([layers[0]!, { ...layers[1]!, bytesDone: 2n }, layer('cccc', 'unpacking', 2, 2_000_000)]);
    assert.equal(
      out.text,
      'aaaa00000000  done       1.0 kB\nbbbb00000000  fetching   4.0 MB\ncccc00000000  unpacking  2.0 MB\n',
    );
  });
});
