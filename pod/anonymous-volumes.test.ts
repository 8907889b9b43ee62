import assert from 'node:assert/strict';
import { wantedVolumes } from './anonymous-volumes.ts';

describe('the volumes that an image declares', () => {
  it('are made in order, each once, less those that the caller mounts at', () => {
    const mounts = [{ containerPath: '/srv/../data/' }];
    assert.deepEqual(wantedVolumes(['/var/b', 'var/a/', '/data', '/var/b/'], mounts), ['/var/a', '/var/b']);
  });

  it('are refused where they would cover the root or what the kernel shows', () => {
    for (const path of ['/', '', '..', '/proc', '/sys/fs', '/x/../proc/self', '/a\0b'])
      assert.throws(() => wantedVolumes([path], []), { kind: 'invalid' }, JSON.stringify(path));
    assert.deepEqual(wantedVolumes(['/process', '/system'], []), ['/process', '/system']);
  });
});
