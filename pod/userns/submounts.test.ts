import assert from 'node:assert/strict';
import type { MountInfo } from '../../native/mount.ts';
import type { OciMount } from '../spec/oci-spec.ts';
import { submountsOf } from './submounts.ts';

const bind = (source: string, destination: string, ...options: string[]): OciMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', 'rprivate', ...options],
});
const NODE = ['/', '/v', '/v/a', '/v/a/b', '/v/a', '/vv', '/w'].map((target) => ({ target }) as MountInfo);

describe('submounts of recursive binds', () => {
  it('are binds of their own, each place once, not above or beside the source', () => {
    assert.deepEqual(submountsOf([bind('/v', '/data', 'rw')], NODE), [
      bind('/v/a', '/data/a', 'rw'),
      bind('/v/a/b', '/data/a/b', 'rw'),
    ]);
    assert.deepEqual(submountsOf([bind('/v/a/b', '/data', 'rw')], NODE), []);
  });

  it('are read-only where the bind is so recursively', () => {
    const modes = (mode: string): string[] =>
      submountsOf([bind('/v', '/data', mode)], NODE).map(({ options }) => options.at(-1)!);
    assert.deepEqual(
      [modes('ro'), modes('rro')],
      [
        ['rw', 'rw'],
        ['ro', 'ro'],
      ],
    );
  });

  it('give way to what the container mounts there itself', () => {
    const own = bind('/w', '/data/a', 'rw');
    assert.deepEqual(submountsOf([bind('/v', '/data', 'rw'), own], NODE), []);
    const once = { ...bind('/v', '/data', 'rw'), options: ['bind'] };
    assert.deepEqual(submountsOf([once], NODE), []);
  });
});
