import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { setHostName, withHostName } from './host-name.ts';

/** As criu 3.17 writes it for the names `before` and `(none)`. */
const IMAGE = Buffer.concat([
  Buffer.from('194356540332475410000000', 'hex'),
  Buffer.from('\x0a\x06before\x12\x06(none)'),
]);

describe("criu's image of a host name", () => {
  it('gets another name', () => {
    const changed = withHostName(IMAGE, 'a-longer-name');
    assert.equal(changed.subarray(0, 8).toString('hex'), '1943565403324754');
    assert.equal(changed.readUInt32LE(8), changed.length - 12);
    assert.equal(changed.subarray(12).toString(), '\x0a\x0da-longer-name\x12\x06(none)');
    assert.deepEqual(withHostName(changed, 'before'), IMAGE);
  });

  it('is found among all others, and bounded', () => {
    const images = mkdtempSync(join(tmpdir(), 'berth-uts-'));
    try {
      for (const name of ['utsns-12.img', 'pstree.img']) writeFileSync(join(images, name), IMAGE);
      setHostName(images, 'after');
      assert.deepEqual(readFileSync(join(images, 'utsns-12.img')), withHostName(IMAGE, 'after'));
      assert.deepEqual(readFileSync(join(images, 'pstree.img')), IMAGE);
      writeFileSync(join(images, 'utsns-13.img'), Buffer.alloc(5000));
      assert.throws(() => setHostName(images, 'after'), /utsns-13\.img is no image of a host name/);
    } finally {
      rmSync(images, { recursive: true });
    }
  });

  it('is refused when it is none', () => {
    const longer = Buffer.concat([IMAGE, Buffer.from('x')]);
    const other = Buffer.from(IMAGE);
    other[12] = 0x12;
    const cut = Buffer.from(IMAGE.subarray(0, 16));
    cut.writeUInt32LE(4, 8);
    for (const image of [Buffer.alloc(0), IMAGE.subarray(0, 12), longer, other, cut])
      assert.throws(
        () => withHostName(image, 'x'),
        (error) => error instanceof Fault && error.kind === 'invalid',
      );
  });
});
