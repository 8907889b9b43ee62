import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { lutimesNs, makedev, mknod } from '../../native/node.ts';
import { lgetxattr, llistxattr, lsetxattr } from '../../native/xattr.ts';
import { TarReader } from '../tar/reader.ts';
import { LayerExtractor } from './extract.ts';
import { rebuildTar, verifyLayer } from './rebuild.ts';
import { RecipeWriter } from './recipe.ts';
import { createHash } from 'node:crypto';

/** In memory: disks make files slowly where others were just removed. */
const SCRATCH = '/dev/shm';

/** What is made at a place of a random tree; a place below something that is no directory is left out. */
interface Thing {
  path: Buffer[];
  kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'char';
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  content: Uint8Array;
  link: string;
  xattrs: Record<string, Uint8Array>;
}

const NUL_SLASH = (bytes: Uint8Array): boolean =>
  !bytes.includes(0) &&
  !bytes.includes(0x2f) &&
  !['.', '..', ''].includes(Buffer.from(bytes).toString('latin1'));

/** Few short names, so that paths meet; odd ones, so that they hurt. A name that starts with .wh. is no name in a layer. */
const name = fc
  .oneof(
    { weight: 5, arbitrary: fc.constantFrom('a', 'b', 'c').map((text) => Buffer.from(text)) },
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    fc.nat(250).map((length) => Buffer.alloc(length + 1, 'n')),
  )
  .filter((bytes) => NUL_SLASH(bytes) && bytes.length <= 255 && !bytes.toString('latin1').startsWith('.wh.'));
const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex');
const thing: fc.Arbitrary<Thing> = fc.record({
  path: fc.array(name, { minLength: 1, maxLength: 6 }),
  kind: fc.constantFrom<Thing['kind'][]>('file', 'file', 'directory', 'symlink', 'hardlink', 'fifo', 'char'),
  mode: fc.nat(0o7777),
  uid: fc.oneof(fc.constant(0), fc.nat(70_000), fc.nat(2 ** 31)),
  gid: fc.oneof(fc.constant(0), fc.nat(70_000), fc.nat(2 ** 31)),
  mtimeNs: fc.bigInt(-(2n ** 30n) * 10n ** 9n, 2n ** 33n * 10n ** 9n),
  content: fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    fc.nat(30_000).map((length) => Buffer.alloc(length, 'x')),
  ),
  link: fc.string({ minLength: 1, maxLength: 200 }).filter((text) => !text.includes('\0')),
  xattrs: fc
    .dictionary(
      fc.oneof(fc.stringMatching(/^(user|trusted)\.[a-z.]{1,12}$/), fc.constant('security.capability')),
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      { maxKeys: 3 },
    )
    .map((xattrs) =>
      'security.capability' in xattrs ? { ...xattrs, 'security.capability': CAPABILITY } : xattrs,
    ),
});

const bytesOf = (head: string, path: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from(head), ...path.flatMap((part) => [Buffer.from('/'), part])]);

function build(root: string, things: Thing[]): void {
  const files: Buffer[] = [];
  const times: [Buffer, bigint][] = [];
  for (const one of things) {
    const place = bytesOf(root, one.path);
    try {
      make(place, one, files);
    } catch (error) {
      assert.match(String(error), /EEXIST|ENOTDIR|ENOENT|ELOOP|ENAMETOOLONG|EISDIR|ENXIO/);
      continue;
    }
    if (one.kind === 'hardlink') continue;
    fs.lchownSync(place, one.uid, one.gid);
    if (one.kind !== 'symlink') fs.chmodSync(place, one.mode);
    for (const [key, value] of Object.entries(one.xattrs)) {
      if (one.kind === 'file' || (one.kind === 'directory' && key !== 'security.capability'))
        lsetxattr(place, key, value);
    }
    times.push([place, one.mtimeNs]);
  }
  for (const [place, time] of times) lutimesNs(place, time, time);
}

function make(place: Buffer, one: Thing, files: Buffer[]): void {
  const parent = place.subarray(0, place.lastIndexOf(0x2f));
  if (one.kind === 'directory') fs.mkdirSync(place);
  else fs.mkdirSync(parent, { recursive: true });
  if (one.kind === 'file') {
    fs.writeFileSync(place, one.content, { flag: 'wx' });
    files.push(place);
  } else if (one.kind === 'symlink') fs.symlinkSync(one.link, place);
  else if (one.kind === 'hardlink')
    fs.linkSync(files[one.mode % (files.length || 1)] ?? Buffer.from('/nowhere/x'), place);
  else if (one.kind === 'fifo') mknod(place, 0o010000 | 0o600, 0);
  else if (one.kind === 'char') mknod(place, 0o020000 | 0o600, makedev(one.uid & 0xfff, one.gid & 0xfffff));
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1);

/** Everything that can be seen of a tree, by path in Latin-1. */
function picture(root: string): Map<string, unknown> {
  const seen = new Map<string, unknown>();
  const inodes = new Map<bigint, string>();
  const walk = (place: Buffer, shown: string): void => {
    const stat = fs.lstatSync(place, { bigint: true });
    const first = inodes.get(stat.ino) ?? shown;
    inodes.set(stat.ino, first);
    const xattrs = llistxattr(place)
      .toSorted(byText)
      .map((key) => [key, lgetxattr(place, key)?.toString('hex')]);
    const content = stat.isFile()
      ? createHash('sha256').update(fs.readFileSync(place)).digest('hex')
      : stat.isSymbolicLink()
        ? fs.readlinkSync(place, 'latin1')
        : '';
    const { mode, uid, gid, mtimeNs, rdev, nlink } = stat;
    const links = stat.isDirectory() ? 0n : nlink;
    seen.set(shown, { mode, uid, gid, mtimeNs, rdev, links, first, content, xattrs });
    if (!stat.isDirectory()) return;
    const children = fs.readdirSync(place, { encoding: 'buffer' }) as Buffer[];
    for (const child of children.toSorted((a, b) => a.compare(b)))
      walk(Buffer.concat([place, Buffer.from('/'), child]), `${shown}/${child.toString('latin1')}`);
  };
  walk(Buffer.from(root), '.');
  return seen;
}

describe('unpacking beside GNU tar', function () {
  this.timeout(120_000);
  const run = (argv: string[]): Buffer =>
    execFileSync('tar', argv, { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });

  for (const format of ['pax', 'gnu'] as const) {
    it(`makes the same tree of random ${format} archives, and the same archive of the tree`, () => {
      const keep = format === 'pax' ? ['--xattrs', '--xattrs-include=*'] : [];
      fc.assert(
        fc.property(fc.array(thing, { maxLength: 25 }), (things) => {
          const home = fs.mkdtempSync(join(SCRATCH, 'berth-gnu-'));
          try {
            const [source, theirs, ours] = ['source', 'theirs', 'ours'].map((part) => join(home, part));
            for (const path of [source!, theirs!, ours!]) fs.mkdirSync(path, { mode: 0o755 });
            build(source!, things);
            const archive = join(home, 'a.tar');
            run(['-c', `--format=${format}`, ...keep, '-f', archive, '-C', source!, '.']);
            run(['-x', '-p', '--same-owner', '--numeric-owner', ...keep, '-f', archive, '-C', theirs!]);
            const bytes = fs.readFileSync(archive);
            const recipe = new RecipeWriter(join(home, 'recipe'));
            const extractor = new LayerExtractor(ours!, { bytes: 1e9, entries: 1e5 }, recipe);
            const reader = new TarReader(extractor);
            for (let at = 0; at < bytes.length; at += 7000) reader.push(bytes.subarray(at, at + 7000));
            reader.finish();
            extractor.finish();
            assert.deepEqual(picture(ours!), picture(theirs!));

            const facts = recipe.finish(bytes.length);
            assert.ok(facts !== undefined);
            const diffId = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
            const layer = { directory: ours!, recipe: join(home, 'recipe'), facts, diffId };
            assert.ok(Buffer.concat([...rebuildTar(layer)]).equals(bytes));
            verifyLayer(layer);
          } finally {
            fs.rmSync(home, { recursive: true });
          }
        }),
        { numRuns: 20 },
      );
    });
  }
});
