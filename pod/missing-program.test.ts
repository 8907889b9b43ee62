import assert from 'node:assert/strict';
import { missingProgram } from './missing-program.ts';

describe('missingProgram', () => {
  for (const [who, text, program] of [
    [
      'crun',
      'crun create failed: executable file `/no/such` not found in $PATH: No such file or directory',
      '/no/such',
    ],
    [
      'runc, by path',
      'runc create failed: unable to start container process: exec: "/no/such": stat /no/such: no such file or directory',
      '/no/such',
    ],
    [
      'runc, by name',
      'runc create failed: unable to start container process: exec: "such": executable file not found in $PATH',
      'such',
    ],
    ['runc, in a JSON log', 'exec: \\"such\\": executable file not found in $PATH', 'such'],
  ] as const)
    it(`reads the words of ${who}`, () => {
      const fault = missingProgram(new Error(text));
      assert.equal(fault?.kind, 'invalid');
      assert.equal(fault?.what, `The image has no program "${program}"`);
    });
  it('leaves other failures alone', () => {
    assert.equal(
      missingProgram(new Error('crun create failed: error mounting /x: No such file or directory')),
      undefined,
    );
  });
});
