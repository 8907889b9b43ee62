import assert from 'node:assert/strict';
import { E, ErrnoError, isErrno } from './errno.ts';

describe('isErrno', () => {
  it('knows the errors of this room and of Node', () => {
    assert.ok(isErrno(new ErrnoError('mount /x', E.EBUSY), 'ENOENT', 'EBUSY'));
    assert.ok(isErrno(Object.assign(new Error('x'), { code: 'ENOENT', errno: -2 }), 'ENOENT'));
    assert.ok(!isErrno(Object.assign(new Error('x'), { code: 'ENOENT', errno: -2 }), 'EBUSY'));
    assert.ok(!isErrno(new Error('ENOENT'), 'ENOENT'));
    assert.ok(!isErrno('ENOENT', 'ENOENT'));
  });

  it('knows numbers that Node has no name for', () => {
    // As fs.writeSync throws beyond a quota.
    const error = Object.assign(new Error('UNKNOWN: unknown error, write'), { code: 'UNKNOWN', errno: -122 });
    assert.ok(isErrno(error, 'ENOSPC', 'EDQUOT'));
    assert.ok(!isErrno(error, 'ENOSPC'));
    assert.ok(!isErrno(Object.assign(new Error('x'), { code: 'UNKNOWN' }), 'EDQUOT'));
  });
});
