import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parseGroup, parsePasswd, resolveUser, type UserRequest } from './users.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
# comment:x:1:1::/:
broken line
nouid:x::5:::
negative:x:-1:5:::
huge:x:99999999999:5:::
app:x:1000:1001:App:/home/app:/bin/sh
web:x:33:33::relative:/bin/sh
`;
const GROUP = `root:x:0:
app:x:1001:
audio:x:29:app,web
docker:x:998:someone,app
bad:x:minus:app
`;
const nobody: Omit<UserRequest, 'rootfs'> = {
  imageUser: '',
  runAsUsername: '',
  supplementalGroups: [],
  policy: 'merge',
};

describe('resolveUser', () => {
  let root: string;
  const who = (request: Partial<UserRequest>): ReturnType<typeof resolveUser> =>
    resolveUser({ rootfs: root, ...nobody, ...request });

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-users-'));
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), PASSWD);
    writeFileSync(join(root, 'etc/group'), GROUP);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('is root when nobody is named', () => {
    assert.deepEqual(who({}), { uid: 0, gid: 0, additionalGids: [0], home: '/root' });
  });

  it('reads every spelling of an image’s user', () => {
    for (const [imageUser, uid, gid] of [
      ['app', 1000, 1001],
      ['1000', 1000, 1001],
      ['app:audio', 1000, 29],
      ['app:7', 1000, 7],
      ['4000', 4000, 0],
      ['4000:4001', 4000, 4001],
      ['4000:audio', 4000, 29],
      [':audio', 0, 29],
    ] as const) {
      const user = who({ imageUser });
      assert.deepEqual([user.uid, user.gid], [uid, gid], imageUser);
    }
  });

  it('merges the groups of the image, or not', () => {
    assert.deepEqual(
      who({ imageUser: 'app', supplementalGroups: [5, 5] }).additionalGids,
      [5, 29, 998, 1001],
    );
    assert.deepEqual(
      who({ imageUser: 'app', supplementalGroups: [5], policy: 'strict' }).additionalGids,
      [5, 1001],
    );
    assert.deepEqual(who({ runAsUser: 1000 }).additionalGids, [29, 998, 1001]);
  });

  it('takes the caller’s user before the image’s', () => {
    assert.deepEqual(who({ imageUser: 'app', runAsUser: 33 }), {
      uid: 33,
      gid: 33,
      additionalGids: [29, 33],
      home: '/',
    });
    assert.equal(who({ imageUser: '33', runAsUsername: 'app' }).home, '/home/app');
    assert.equal(who({ runAsUser: 1000, runAsGroup: 2000 }).gid, 2000);
    assert.equal(who({ runAsUser: 1000, runAsGroup: 0 }).gid, 0);
  });

  it('refuses what nobody can be', () => {
    assert.throws(() => who({ imageUser: 'ghost' }), {
      kind: 'invalid',
      message: /Unable to find the user "ghost"/,
    });
    assert.throws(() => who({ imageUser: 'app:ghosts' }), { kind: 'invalid', message: /group "ghosts"/ });
    assert.throws(() => who({ runAsGroup: 5 }), { kind: 'invalid', message: /run_as_group/ });
    assert.throws(() => who({ imageUser: '2147483648' }), { kind: 'invalid' });
    assert.throws(() => who({ imageUser: '-1' }), { kind: 'invalid' });
    assert.throws(() => who({ runAsUser: 2 ** 32 }), { kind: 'invalid' });
    assert.throws(() => who({ supplementalGroups: [-1] }), { kind: 'invalid' });
    assert.throws(() => who({ imageUser: 'negative' }), { kind: 'invalid' });
  });

  it('needs no files for numbers', () => {
    rmSync(join(root, 'etc'), { recursive: true });
    assert.deepEqual(who({ imageUser: '5:6' }), { uid: 5, gid: 6, additionalGids: [6], home: '/' });
  });

  it('stays inside the root and reads no gigabytes', () => {
    rmSync(join(root, 'etc/passwd'));
    symlinkSync('../../../../../../etc/passwd', join(root, 'etc/passwd'));
    assert.throws(() => who({ imageUser: 'root' }), { kind: 'invalid' });
    rmSync(join(root, 'etc/passwd'));
    writeFileSync(join(root, 'etc/passwd'), PASSWD);
    truncateSync(join(root, 'etc/passwd'), 2 ** 30);
    assert.throws(() => who({}), { kind: 'invalid' });
  });
});

describe('the user files of an image', () => {
  it('are read without trouble, whatever is in them', () => {
    const line = fc
      .array(fc.oneof(fc.string(), fc.integer().map(String)), { maxLength: 9 })
      .map((f) => f.join(':'));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.join('\n');
        for (const { name, uid, gid, home } of parsePasswd(text)) {
          assert.ok(name !== '' && !/[:\n]/.test(name + home) && home.startsWith('/'));
          for (const id of [uid, gid]) assert.ok(Number.isInteger(id) && id >= 0 && id < 2 ** 31);
        }
        for (const { gid } of parseGroup(text)) assert.ok(Number.isInteger(gid) && gid >= 0);
      }),
    );
  });
});
