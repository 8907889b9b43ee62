import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDemoImage } from './image.ts';

describe('the demo image', () => {
  it('is a docker archive, the same bytes each time', () => {
    const directory = mkdtempSync(join(tmpdir(), 'berth-image-'));
    try {
      const [one, two] = [join(directory, 'one.tar'), join(directory, 'two.tar')];
      writeDemoImage(one);
      writeDemoImage(two);
      assert.ok(readFileSync(one).equals(readFileSync(two)));
      assert.ok(readFileSync(one).includes('"RepoTags":["berth.local/demo:1"]'));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
