import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault, type FaultKind } from '../../ground/fault.ts';
import { lgetxattr } from '../../native/xattr.ts';
import { TarReader } from '../tar/reader.ts';
import { tarArchive, type NewEntry } from '../tar/writer.ts';
import { LayerExtractor, type Extracted, type ExtractLimits } from './extract.ts';
import { adoptAttributes } from './implicit.ts';

const ROOMY: ExtractLimits = { bytes: 1e9, entries: 1e6 };
const SECOND = 1_000_000_000n;

describe('LayerExtractor', () => {
  let outside: string;
  let root: string;
  beforeEach(() => {
    outside = fs.mkdtempSync(join(tmpdir(), 'berth-extract-'));
    root = join(outside, 'root');
    fs.mkdirSync(root);
    fs.writeFileSync(join(outside, 'victim'), 'untouched', { mode: 0o600 });
  });
  afterEach(() => {
    assert.deepEqual(fs.readdirSync(outside).toSorted(), ['root', 'victim']);
    assert.equal(fs.readFileSync(join(outside, 'victim'), 'utf8'), 'untouched');
    assert.equal(fs.statSync(join(outside, 'victim')).mode & 0o7777, 0o600);
    assert.equal(fs.statSync(join(outside, 'victim')).nlink, 1);
    fs.rmSync(outside, { recursive: true });
  });

  function extract(entries: NewEntry[], limits = ROOMY, into = root): Extracted {
    const extractor = new LayerExtractor(into, limits);
    try {
      const reader = new TarReader(extractor);
      reader.push(tarArchive(entries));
      reader.finish();
      return extractor.finish();
    } finally {
      extractor.close();
    }
  }

  function refuses(entries: NewEntry[], kind: FaultKind, pattern: RegExp, limits = ROOMY): void {
    assert.throws(
      () => extract(entries, limits),
      (error) => {
        assert.ok(error instanceof Fault, String(error));
        assert.deepEqual([error.kind, pattern.test(error.message)], [kind, true], error.message);
        return true;
      },
    );
  }

  const stat = (path: string): fs.BigIntStats => fs.lstatSync(join(root, path), { bigint: true });

  it('keeps contents, owners, modes, times, links and attributes', () => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    const mtimeNs = 1_600_000_000n * SECOND + 123_456_789n;
    const result = extract([
      { path: './', type: 'directory', mode: 0o750, uid: 3, gid: 4, mtimeNs: 5n * SECOND },
      { path: 'd/', type: 'directory', mode: 0o2775, uid: 1, gid: 2, mtimeNs },
      { path: 'd/file', mode: 0o4751, uid: 1000, gid: 1001, mtimeNs, content: 'hello' },
      { path: 'd/whole', mtimeNs: 7n * SECOND, content: 'x'.repeat(3_000_000) },
      { path: 'd/capable', mode: 0o755, uid: 9, content: 'c', xattrs: { 'security.capability': capability } },
      { path: 'd/hard', type: 'hardlink', link: '/d/file' },
      { path: 'd/soft', type: 'symlink', link: '/etc/absolute', uid: 7, mtimeNs },
      { path: 'fifo', type: 'fifo', mode: 0o622 },
      { path: 'null', type: 'char', major: 1, minor: 3, mode: 0o666 },
      { path: 'loop', type: 'block', major: 7, minor: 300, mode: 0o660, gid: 6 },
      { path: 'sticky/', type: 'directory', mode: 0o1777 },
      { path: 'before-the-epoch', mtimeNs: -1_500_000_000n },
    ]);
    assert.equal(stat('d/file').mode & 0o7777n, 0o4751n);
    assert.deepEqual(
      [stat('d/file').uid, stat('d/file').gid, stat('d/file').mtimeNs],
      [1000n, 1001n, mtimeNs],
    );
    assert.deepEqual([stat('d').mode & 0o7777n, stat('d').uid, stat('d').mtimeNs], [0o2775n, 1n, mtimeNs]);
    assert.deepEqual([stat('d/whole').size, stat('d/whole').mtimeNs], [3_000_000n, 7n * SECOND]);
    assert.deepEqual(lgetxattr(join(root, 'd/capable'), 'security.capability'), capability);
    assert.equal(stat('d/hard').ino, stat('d/file').ino);
    assert.equal(fs.readlinkSync(join(root, 'd/soft')), '/etc/absolute');
    assert.deepEqual([stat('d/soft').uid, stat('d/soft').mtimeNs], [7n, mtimeNs]);
    assert.equal(stat('fifo').mode, 0o010622n);
    assert.deepEqual([stat('null').mode, stat('null').rdev], [0o020666n, 0x103n]);
    assert.deepEqual([stat('loop').mode, stat('loop').gid], [0o060660n, 6n]);
    assert.equal((stat('loop').rdev & 0xffn) | ((stat('loop').rdev >> 12n) & 0xfff00n), 300n);
    assert.equal(stat('sticky').mode & 0o7777n, 0o1777n);
    assert.equal(stat('before-the-epoch').mtimeNs, -1_500_000_000n);
    assert.deepEqual(result.root, { mode: 0o750, uid: 3, gid: 4, mtimeNs: 5n * SECOND });
    assert.deepEqual([result.implicit, result.droppedXattrs], [[], 0]);
  });

  it('keeps the group of root in a directory that hands on its own', () => {
    extract([
      { path: 'd/', type: 'directory', mode: 0o2775, gid: 50 },
      { path: 'd/file', content: 'x' },
      { path: 'd/fifo', type: 'fifo' },
      { path: 'd/e/', type: 'directory', mode: 0o755 },
    ]);
    for (const path of ['d/file', 'd/fifo', 'd/e']) assert.equal(stat(path).gid, 0n, path);
    assert.equal(stat('d/e').mode & 0o7777n, 0o755n);
    const into = join(root, 'staff');
    fs.mkdirSync(into);
    fs.chownSync(into, 0, 50);
    fs.chmodSync(into, 0o2775);
    extract([{ path: 'file', content: 'x' }], ROOMY, into);
    assert.equal(stat('staff/file').gid, 0n);
  });

  it('turns whiteouts into what overlayfs knows', () => {
    extract([
      { path: 'gone/', type: 'directory' },
      { path: 'gone/.wh.file', content: '' },
      { path: 'gone/.wh..wh..opq', content: '' },
      { path: 'gone/.wh..wh.plnk', content: '' },
      { path: '.wh.replaced' },
      { path: 'replaced/', type: 'directory' },
      { path: 'replaced/new', content: 'n' },
      { path: '.wh.filled' },
      { path: 'filled', content: 'f' },
      { path: 'kept', content: 'k' },
      { path: '.wh.kept' },
      { path: 'late/', type: 'directory' },
      { path: '.wh.late' },
    ]);
    assert.deepEqual([stat('gone/file').mode & 0o170000n, stat('gone/file').rdev], [0o020000n, 0n]);
    const opaque = (path: string): string | undefined =>
      lgetxattr(join(root, path), 'trusted.overlay.opaque')?.toString();
    assert.deepEqual(['gone', 'replaced', 'late'].map(opaque), ['y', 'y', 'y']);
    assert.deepEqual(fs.readdirSync(join(root, 'gone')), ['file']);
    assert.equal(fs.readFileSync(join(root, 'filled'), 'utf8'), 'f');
    assert.equal(fs.readFileSync(join(root, 'kept'), 'utf8'), 'k');
  });

  it('replaces what an earlier entry of the same name made', () => {
    extract([
      { path: 'a', content: 'long content' },
      { path: 'a', content: 'new' },
      { path: 'd/', type: 'directory' },
      { path: 'd/deep/', type: 'directory' },
      { path: 'd/deep/x', content: 'x' },
      { path: 'd', content: 'now a file' },
      { path: 'l', type: 'symlink', link: '../victim' },
      { path: 'l', content: 'a file of its own' },
      { path: 'm', type: 'symlink', link: '..' },
      { path: 'm/', type: 'directory', mode: 0o700 },
      { path: 'm/victim', content: 'inside' },
      { path: 'self', content: 's' },
      { path: 'self', type: 'hardlink', link: 'self' },
    ]);
    assert.equal(fs.readFileSync(join(root, 'a'), 'utf8'), 'new');
    assert.equal(fs.readFileSync(join(root, 'd'), 'utf8'), 'now a file');
    assert.equal(fs.readFileSync(join(root, 'm/victim'), 'utf8'), 'inside');
    assert.ok(stat('l').isFile() && stat('m').isDirectory() && stat('self').isFile());
  });

  it('follows symbolic links of the archive inside the layer only', () => {
    extract([
      { path: 'usr/', type: 'directory' },
      { path: 'usr/lib/', type: 'directory' },
      { path: 'lib', type: 'symlink', link: 'usr/lib' },
      { path: 'lib/a', content: 'a' },
      { path: 'abs', type: 'symlink', link: '/usr/lib' },
      { path: 'abs/b', content: 'b' },
      { path: 'up', type: 'symlink', link: '../../../../..' },
      { path: 'up/victim', content: 'in the root' },
      { path: 'host', type: 'symlink', link: outside },
      { path: 'host/victim', content: 'in a directory of that name' },
      { path: 'twice', type: 'symlink', link: 'lib/../../up' },
      { path: 'twice/c', content: 'c' },
      { path: 'copied', type: 'hardlink', link: 'host' },
      { path: 'copied/d', content: 'd' },
    ]);
    assert.equal(fs.readFileSync(join(root, 'usr/lib/a'), 'utf8'), 'a');
    assert.equal(fs.readFileSync(join(root, 'usr/lib/b'), 'utf8'), 'b');
    assert.equal(fs.readFileSync(join(root, 'victim'), 'utf8'), 'in the root');
    assert.equal(fs.readFileSync(join(root, outside, 'victim'), 'utf8'), 'in a directory of that name');
    assert.equal(fs.readFileSync(join(root, outside, 'd'), 'utf8'), 'd');
    assert.equal(fs.readFileSync(join(root, 'c'), 'utf8'), 'c');
  });

  it('takes absolute names from the root of the layer', () => {
    extract([
      { path: '/etc/', type: 'directory' },
      { path: '//etc///x', content: 'x' },
      { path: './etc/./y', content: 'y' },
    ]);
    assert.deepEqual(fs.readdirSync(join(root, 'etc')), ['x', 'y']);
  });

  const hostile: [string, NewEntry[], RegExp][] = [
    ['a name with ..', [{ path: '../victim', content: 'x' }], /"\.\.\/victim".*"\.\."/],
    ['.. in the middle', [{ path: 'a/../../victim', content: 'x' }], /"a\/\.\.\/\.\.\/victim"/],
    ['.. that would stay inside', [{ path: 'a/../b', content: 'x' }], /"\.\."/],
    ['.. at the end', [{ path: 'a/..', type: 'directory' }], /"\.\."/],
    [
      'a hard link with ..',
      [{ path: 'h', type: 'hardlink', link: '../victim' }],
      /"h" \(a hard link to "\.\.\/victim"\)/,
    ],
    ['a hard link to nothing', [{ path: 'h', type: 'hardlink', link: '/etc/passwd' }], /"\/etc\/passwd"/],
    [
      'a hard link through a symbolic link',
      [
        { path: 's', type: 'symlink', link: '..' },
        { path: 'h', type: 'hardlink', link: 's/victim' },
      ],
      /hard link/,
    ],
    [
      'a hard link to a directory',
      [
        { path: 'd/', type: 'directory' },
        { path: 'h', type: 'hardlink', link: 'd' },
      ],
      /hard link to a directory/,
    ],
    [
      'links in a circle',
      [
        { path: 'a', type: 'symlink', link: 'b' },
        { path: 'b', type: 'symlink', link: 'a' },
        { path: 'a/x', content: 'x' },
      ],
      /too many symbolic links/,
    ],
    [
      'a path through a file',
      [
        { path: 'f', content: 'x' },
        { path: 'f/x', content: 'x' },
      ],
      /no directory/,
    ],
    ['a whiteout of ..', [{ path: '.wh...' }], /hides nothing/],
    ['a whiteout of .', [{ path: 'd/.wh..' }], /hides nothing/],
    ['a whiteout of nothing', [{ path: '.wh.' }], /hides nothing/],
    [
      'a file for the root',
      [
        { path: './', content: '' },
        { path: '.', type: 'symlink', link: 'x' },
      ],
      /root/,
    ],
    ['a NUL in a long name', [{ path: `${'n'.repeat(120)}\0/../x`, content: 'x' }], /NUL/],
    ['an empty link', [{ path: 'l', type: 'symlink', link: '' }], /nowhere/],
    ['a name beyond the kernel', [{ path: 'n'.repeat(300), content: 'x' }], /ENAMETOOLONG/],
  ];
  for (const [what, entries, pattern] of hostile) {
    it(`refuses ${what}`, () => refuses(entries, 'invalid', pattern));
  }

  it('does not let an archive set the marks of overlayfs', () => {
    const xattrs = { 'trusted.overlay.redirect': Buffer.from('/x'), 'user.fine': Buffer.from('1') };
    const result = extract([{ path: 'd/', type: 'directory', xattrs }]);
    assert.equal(lgetxattr(join(root, 'd'), 'trusted.overlay.redirect'), undefined);
    assert.equal(lgetxattr(join(root, 'd'), 'user.fine')?.toString(), '1');
    assert.equal(result.droppedXattrs, 1);
  });

  it('stops at the limits', () => {
    const many = Array.from({ length: 20 }, (_, i): NewEntry => ({
      path: `f${i}`,
      content: 'x'.repeat(100),
    }));
    refuses(many, 'exhausted', /1000 bytes/, { bytes: 1000, entries: 100 });
    fs.rmSync(root, { recursive: true });
    fs.mkdirSync(root);
    refuses(many, 'exhausted', /10 entries/, { bytes: 1e6, entries: 10 });
  });

  it('gives directories without an entry the attributes of those below', () => {
    const lower = join(root, 'lower');
    const upper = join(root, 'upper');
    for (const path of [lower, upper]) fs.mkdirSync(path);
    const at = 1_500_000_000n * SECOND + 5n;
    const xattrs = { 'user.a': Buffer.from('b') };
    extract(
      [{ path: 'a/', type: 'directory', mode: 0o1770, uid: 5, gid: 6, mtimeNs: at, xattrs }],
      ROOMY,
      lower,
    );
    const result = extract([{ path: 'a/b/c', content: 'c' }], ROOMY, upper);
    assert.deepEqual(result.implicit, ['a', 'a/b']);
    adoptAttributes(upper, result.implicit, [lower]);
    const { mode, uid, gid, mtimeNs } = stat('upper/a');
    assert.deepEqual([mode & 0o7777n, uid, gid, mtimeNs], [0o1770n, 5n, 6n, at]);
    assert.equal(lgetxattr(join(upper, 'a'), 'user.a')?.toString(), 'b');
    assert.equal(stat('upper/a/b').mode & 0o7777n, 0o755n);
  });
});
