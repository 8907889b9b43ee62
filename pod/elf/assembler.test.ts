import assert from 'node:assert/strict';
import { Assembler } from './assembler.ts';

describe('assembler', () => {
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

  it('loads from memory', () => {
    const asm = new Assembler(0x400000);
    asm.label('start');
    asm.loadAt('rbx', 'start');
    asm.loadBehindRbx('rsi', 12);
    asm.loadBehindRbx('r8', 24);
    asm.add('rbx', 32);
    asm.compare('rcx', 5);
    asm.enterKernel();
    assert.equal(
      asm.assemble().toString('hex'),
      [
        '8b1c2500004000', // mov ebx, [0x400000]
        '8b730c', // mov esi, [rbx+12]
        '448b4318', // mov r8d, [rbx+24]
        '83c320', // add ebx, 32
        '81f905000000', // cmp ecx, 5
        '0f05', // syscall
      ].join(''),
    );
  });
});
