import assert from 'node:assert/strict';
import { machineTrouble } from './machine.ts';

describe('the machine', () => {
  it('has to be one that the own programs are written for', () => {
    assert.equal(machineTrouble('x64'), '');
    assert.match(machineTrouble('arm64'), /x86-64 only; this machine is arm64/);
  });
});
