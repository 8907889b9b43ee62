import assert from 'node:assert/strict';
import { giveToProject, limitProject, limitsOf, projectOf, projectQuotaState } from './quota.ts';

describe('project quotas', () => {
  it('are limited by the bytes that the kernel reads', () => {
    // As a C compiler lays out struct fs_disk_quota of linux/dqblk_xfs.h: 112 bytes; version 1, FS_PROJ_QUOTA 2,
    // FS_DQ_BSOFT | FS_DQ_BHARD in the field mask at 2, the id at 4, the hard limit at 8, the soft one at 16.
    const expected = Buffer.alloc(112);
    Buffer.from('01020c0078563412', 'hex').copy(expected);
    Buffer.from('0108000000000000', 'hex').copy(expected, 8);
    Buffer.from('0108000000000000', 'hex').copy(expected, 16);
    assert.deepEqual(limitsOf(0x12345678, (1 << 20) + 1), expected);
    assert.equal(limitsOf(1, 2 ** 50).readBigUInt64LE(8), 2n ** 41n);
    assert.deepEqual(limitsOf(1, 0).subarray(8), Buffer.alloc(104));
  });

  it('are neither counted nor enforced by a file system that has none', () => {
    assert.deepEqual(projectQuotaState('/proc/self'), { accounting: false, enforcing: false });
    assert.throws(
      () => limitProject('/proc/self', 7, 1),
      /limit of project 7 at \/proc\/self: E(NOSYS|INVAL)/,
    );
    assert.throws(
      () => projectOf('/proc/self/status'),
      /project of \/proc\/self\/status: E(NOTTY|OPNOTSUPP)/,
    );
    assert.throws(() => giveToProject('/proc', 7), /project of \/proc: E(NOTTY|OPNOTSUPP)/);
  });

  it('are asked for of directories that are there', () => {
    assert.throws(() => projectQuotaState('/proc/absent'), { code: 'ENOENT' });
    assert.throws(() => giveToProject('/proc/self/cwd', 7), /E(LOOP|NOTDIR)/);
  });
});
