import assert from 'node:assert/strict';
import { Assembler } from './assembler.ts';
import { pauseProgram } from './build.ts';
import { ENTRY } from './elf.ts';
import { seccompFilter } from './seccomp-filter.ts';

describe('pause program', () => {
  it('is one small static executable', () => {
    const program = pauseProgram();
    assert.ok(program.length < 4096);
    assert.equal(program.toString('latin1', 1, 4), 'ELF');
    assert.equal(program.readBigUInt64LE(24), BigInt(ENTRY));
    assert.equal(pauseProgram(), program);
  });

  it('assembles instructions as the manual encodes them', () => {
    const asm = new Assembler(0x400000);
    asm.label('start');
    asm.move('rdi', 0x12345678);
    asm.move('r10', { label: 'data' });
    asm.copy('rdi', 'rbx');
    asm.push('rbp');
    asm.increment('rbx');
    asm.testEax();
    asm.jumpIf('negative', 'start');
    asm.jump('data');
    asm.data('data', Buffer.from([1]), { label: 'start' });
    assert.equal(
      asm.assemble().toString('hex'),
      [
        'bf78563412', // mov edi, 0x12345678
        '41ba20004000', // mov r10d, 0x400020
        '89df', // mov edi, ebx
        '55', // push rbp
        'ffc3', // inc ebx
        '85c0', // test eax, eax
        '0f88e8ffffff', // js start
        'e903000000', // jmp data
        '000000', // padding
        '01',
        '0000400000000000',
      ].join(''),
    );
  });

  it('refuses a label that does not stand anywhere', () => {
    const asm = new Assembler(0);
    asm.jump('nowhere');
    assert.throws(() => asm.assemble(), /nowhere/);
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
