import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { returning } from '../native/namespaces.ts';
import { SpareNamespaces } from './spare-namespaces.ts';

describe('spare namespaces', () => {
  const own = (): string[] =>
    ['net', 'ipc', 'uts'].map((kind) => readlinkSync(`/proc/thread-self/ns/${kind}`));

  it('are entered once, by one pod', () => {
    const spare = new SpareNamespaces();
    const home = own();
    assert.equal(spare.enter(), false, 'there is none yet');
    const made = returning(['net', 'ipc', 'uts'], () => {
      spare.make();
      return own();
    });
    assert.deepEqual(own(), home);
    assert.equal(spare.there, true);
    const entered = returning(['net', 'ipc', 'uts'], () => {
      assert.equal(spare.enter(), true);
      return own();
    });
    assert.deepEqual(entered, made);
    assert.ok(entered.every((name, i) => name !== home[i]));
    assert.equal(spare.enter(), false, 'it was given away');
    assert.deepEqual(own(), home);
  });

  it('can be dropped', () => {
    const spare = new SpareNamespaces();
    returning(['net', 'ipc', 'uts'], () => spare.make());
    spare.close();
    assert.equal(spare.there, false);
    assert.equal(spare.enter(), false);
  });
});
