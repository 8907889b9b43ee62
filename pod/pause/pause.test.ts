import assert from 'node:assert/strict';
import { pauseProgram } from './build.ts';
import { ENTRY } from '../elf/executable.ts';
import { seccompFilter } from './seccomp-filter.ts';

describe('pause program', () => {
  it('is one small static executable', () => {
    const program = pauseProgram();
    assert.ok(program.length < 4096);
    assert.equal(program.toString('latin1', 1, 4), 'ELF');
    assert.equal(program.readBigUInt64LE(24), BigInt(ENTRY));
    assert.equal(pauseProgram(), program);
  });

  it('filters calls', () => {
    const filter = seccompFilter([1, 60]);
    const instructions = Array.from({ length: filter.length / 8 }, (_, i) => ({
      code: filter.readUInt16LE(i * 8),
      ifTrue: filter[i * 8 + 2]!,
      value: filter.readUInt32LE(i * 8 + 4),
    }));
    const run = (arch: number, nr: number): number => {
      for (let at = 0, loaded = 0; ; at++) {
        const { code, ifTrue, value } = instructions[at]!;
        if (code === 0x20) loaded = value === 4 ? arch : nr;
        else if (code === 0x06) return value;
        else if (loaded === value) at += ifTrue;
      }
    };
    const amd64 = 0xc000003e;
    assert.equal(run(amd64, 1), 0x7fff0000);
    assert.equal(run(amd64, 60), 0x7fff0000);
    assert.equal(run(amd64, 2), 0x00050001);
    assert.equal(run(0x40000003, 1), 0x80000000);
  });
});
