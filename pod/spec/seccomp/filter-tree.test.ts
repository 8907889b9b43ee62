import assert from 'node:assert/strict';
import { compileFilter, haveLibseccomp } from '../../../native/libseccomp.ts';
import { DEFAULT_CAPABILITIES } from '../capabilities.ts';
import { filterSource } from './compiled-filter.ts';
import { defaultSeccompProfile } from './default-profile.ts';

/** What a filter answers to struct seccomp_data, given as 32-bit words: number, architecture, address, arguments. */
function answer(filter: Buffer, data: readonly number[]): number {
  let word = 0;
  for (let at = 0; ; at++) {
    const code = filter.readUInt16LE(at * 8);
    const value = filter.readUInt32LE(at * 8 + 4);
    const jump = (taken: boolean): number => filter[at * 8 + (taken ? 2 : 3)]!;
    // linux/bpf_common.h: load a word, return, jump, and.
    if (code === 0x20) word = data[value / 4] ?? 0;
    else if (code === 0x06) return value;
    else if (code === 0x05) at += value;
    else if (code === 0x15) at += jump(word === value);
    else if (code === 0x25) at += jump(word > value);
    else if (code === 0x35) at += jump(word >= value);
    else if (code === 0x45) at += jump((word & value) !== 0);
    else if (code === 0x54) word = (word & value) >>> 0;
    else throw new Error(`Unknown instruction ${code.toString(16)}`);
  }
}

describe('a filter as a tree', () => {
  before(function () {
    if (!haveLibseccomp() || process.arch !== 'x64') this.skip();
  });

  it('answers what the list answers', () => {
    const source = filterSource(defaultSeccompProfile('x64', [...DEFAULT_CAPABILITIES]))!;
    const tree = compileFilter(source);
    const list = compileFilter(source, false);
    assert.notDeepEqual(tree, list);
    const arguments_ = [
      0, 8, 16, 38, 40, 0x2_0000, 0x2_0008, 0x4_0000, 0x1000_0000, 0x7e02_0000, 0xffff_ffff,
    ];
    const answers = new Set<number>();
    // x86_64, x86, and arm64, which the filter does not know; with x32's bit, and without.
    for (const architecture of [0xc000_003e, 0x4000_0003, 0xc000_00b7])
      for (const bit of [0, 0x4000_0000])
        for (let number = 0; number < 600; number++)
          for (const argument of arguments_) {
            const data = [number + bit, architecture, 0, 0, argument, 0, argument, 0];
            const expected = answer(list, data);
            answers.add(expected);
            if (answer(tree, data) !== expected)
              assert.fail(`another answer to call ${number + bit} of ${architecture} with ${argument}`);
          }
    assert.ok(answers.size >= 3);
  });
});
