import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { programMappings, releaseProgramPages } from './memory.ts';

const NODE_TEXT = `00c00000-06000000 r-xp 00800000 fe:00 123456 /opt/node
Size:             86016 kB
Rss:              40000 kB
Private_Dirty:        0 kB
Anonymous:            0 kB
Swap:                 0 kB
`;

describe('programMappings', () => {
  it('takes large read-only file mappings', () => {
    assert.deepEqual(programMappings(NODE_TEXT), [
      { start: 0xc00000n, end: 0x6000000n, resident: 40000 * 1024 },
    ]);
  });

  it('leaves alone what holds pages of our own, what may be written, and what is no file', () => {
    for (const other of [
      NODE_TEXT.replace('Private_Dirty:        0', 'Private_Dirty:        4'),
      NODE_TEXT.replace('Anonymous:            0', 'Anonymous:            4'),
      NODE_TEXT.replace('Swap:                 0', 'Swap:                 4'),
      NODE_TEXT.replace('r-xp', 'rw-p'),
      NODE_TEXT.replace('r-xp', 'r-xs'),
      NODE_TEXT.replace('fe:00 123456 /opt/node', '00:00 0 '),
      NODE_TEXT.replace('06000000', '00c10000'),
    ]) {
      assert.deepEqual(programMappings(other), []);
    }
  });
});

describe('releaseProgramPages', () => {
  it('unmaps most of the program, which works on', () => {
    const mapped = (): number =>
      Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
    const before = mapped();
    assert.ok(releaseProgramPages() > 0);
    assert.ok(mapped() < before, 'less is mapped');
    assert.equal(JSON.stringify({ a: [1, 2].map((n) => n * 2) }), '{"a":[2,4]}');
  });
});
