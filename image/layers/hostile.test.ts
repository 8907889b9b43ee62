import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { Fault } from '../../ground/fault.ts';
import { BLOCK, type EntryType } from '../tar/format.ts';
import { TarReader } from '../tar/reader.ts';
import { paxRecord, tarArchive, tarEntry, type NewEntry } from '../tar/writer.ts';
import { LayerExtractor, type ExtractLimits } from './extract.ts';

/** In memory: disks make files slowly where others were just removed. */
const SCRATCH = '/dev/shm';

/** A metadata block (`x` or `g`) with this body. */
function metadata(flag: string, body: Buffer): Buffer {
  const bytes = tarEntry({ path: 'meta', content: body });
  bytes.write(flag, 156);
  bytes.fill(' ', 148, 156);
  const sum = bytes.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

/** What lies around the layer and must not change: names, contents, modes, link counts, times. */
function surroundings(directory: string): unknown {
  return fs.readdirSync(directory, { withFileTypes: true }).map((entry) => {
    const place = join(directory, entry.name);
    if (entry.name === 'root') return 'root';
    const { mode, uid, gid, nlink, mtimeNs } = fs.lstatSync(place, { bigint: true });
    const inside = entry.isDirectory() ? surroundings(place) : fs.readFileSync(place, 'latin1');
    return [entry.name, mode, uid, gid, nlink, mtimeNs, inside];
  });
}

describe('hostile layers', () => {
  let outside: string;
  let root: string;
  let before: unknown;
  beforeEach(() => {
    outside = fs.mkdtempSync(join(SCRATCH, 'berth-hostile-'));
    fs.mkdirSync(join(outside, 'a'));
    fs.writeFileSync(join(outside, 'a/b'), 'untouched', { mode: 0o600 });
    fs.writeFileSync(join(outside, 'b'), 'untouched', { mode: 0o600 });
    root = join(outside, 'root');
    fs.mkdirSync(root);
    before = surroundings(outside);
  });
  afterEach(() => {
    assert.deepEqual(surroundings(outside), before);
    fs.rmSync(outside, { recursive: true });
  });

  function extract(archive: Buffer, limits: ExtractLimits = { bytes: 1e9, entries: 1e6 }): void {
    const extractor = new LayerExtractor(root, limits);
    try {
      const reader = new TarReader(extractor);
      reader.push(archive);
      reader.finish();
      extractor.finish();
    } finally {
      extractor.close();
    }
  }

  function refused(archive: Buffer, kind: string, pattern: RegExp, limits?: ExtractLimits): void {
    assert.throws(
      () => extract(archive, limits),
      (error) => error instanceof Fault && error.kind === kind && pattern.test(error.message),
    );
  }

  it('never reach outside of the layer, whatever names and links they are made of', () => {
    const part = fc.constantFrom('a', 'b', 'c', '..', '.', '', '.wh.a', '.wh.b', '.wh..wh..opq', 'root');
    const path = fc
      .tuple(fc.constantFrom('', '', '/', '../', './'), fc.array(part, { minLength: 1, maxLength: 5 }))
      .map(([head, parts]) => head + parts.join('/'));
    const entry: fc.Arbitrary<NewEntry> = fc.record({
      path,
      type: fc.constantFrom<EntryType[]>(
        'file',
        'directory',
        'symlink',
        'symlink',
        'hardlink',
        'fifo',
        'char',
      ),
      link: fc.oneof(
        path,
        path.map((text) => outside + text),
      ),
      mode: fc.nat(0o7777),
      content: fc.string({ maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 30 }), (entries) => {
        fs.rmSync(root, { recursive: true, force: true });
        fs.mkdirSync(root);
        const kept = entries.map((one) => (one.type === 'file' ? one : { ...one, content: '' }));
        const extractor = new LayerExtractor(root, { bytes: 1e9, entries: 1e6 });
        // Entry by entry: a refused one does not keep the next from being tried.
        for (const one of kept) {
          try {
            const reader = new TarReader(extractor);
            reader.push(tarEntry(one));
            reader.finish();
          } catch (error) {
            assert.ok(error instanceof Fault && error.kind === 'invalid', String(error));
          }
        }
        extractor.finish();
        extractor.close();
        assert.deepEqual(surroundings(outside), before);
      }),
      { numRuns: 60 },
    );
  });

  it('are not followed by the kernel either when somebody swaps a directory for a link', () => {
    const extractor = new LayerExtractor(root, { bytes: 1e9, entries: 1e6 });
    const push = (entries: NewEntry[]): void => {
      const reader = new TarReader(extractor);
      for (const one of entries) reader.push(tarEntry(one));
    };
    push([{ path: 'd/', type: 'directory' }]);
    fs.renameSync(join(root, 'd'), join(root, 'was'));
    fs.symlinkSync(join(outside, 'a'), join(root, 'd'));
    assert.throws(() => push([{ path: 'd/x', content: 'x' }]), /ELOOP/);
    extractor.close();
  });

  it('cannot fill memory with extended headers', () => {
    const record = (i: number): Buffer => paxRecord(`comment${i}`, Buffer.alloc(200_000, 'c'));
    for (const flag of ['x', 'g']) {
      const bomb = Array.from({ length: 20 }, (_, i) => metadata(flag, record(i)));
      refused(Buffer.concat([...bomb, tarArchive([{ path: 'a' }])]), 'invalid', /extended headers/);
    }
    const many = Array.from({ length: 300 }, (_, i) => metadata('g', paxRecord(`k${i}`, Buffer.from('v'))));
    refused(Buffer.concat(many), 'invalid', /global headers/);
    // Each entry has its own allowance.
    const fine = Array.from({ length: 20 }, (_, i) =>
      Buffer.concat([metadata('x', record(i)), tarEntry({ path: `f${i}` })]),
    );
    extract(Buffer.concat(fine));
    assert.equal(fs.readdirSync(root).length, 20);
  });

  it('cannot make more directories than entries are allowed', () => {
    const deep = Array.from({ length: 50 }, (_, i) => ({ path: `${`d${i}/`.repeat(60)}f`, content: 'x' }));
    refused(tarArchive(deep), 'exhausted', /1000 entries/, { bytes: 1e9, entries: 1000 });
  });

  it('cannot claim more than the allowed bytes', () => {
    const entry = tarEntry({ path: 'big' });
    entry.write('77777777777\0', 124);
    entry.fill(' ', 148, 156);
    const sum = entry.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
    entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    refused(entry, 'exhausted', /1000000 bytes/, { bytes: 1_000_000, entries: 10 });
  });

  it('are taken apart fast when they replace large directories again and again', () => {
    const entries: NewEntry[] = Array.from({ length: 500 }, (_, i) => ({
      path: `many/${i}`,
      type: 'symlink',
      link: 'x',
    }));
    for (let i = 0; i < 200; i++) {
      entries.push({ path: 'd/x', type: 'directory' }, { path: 'd', type: 'symlink', link: 'y' });
      entries.push({ path: 'd', type: 'directory' });
    }
    extract(tarArchive(entries));
    assert.deepEqual(fs.readdirSync(root).toSorted(), ['d', 'many']);
  });

  it('say which attribute has no room', () => {
    const xattrs = { 'user.large': Buffer.alloc(60_000, 1), 'user.larger': Buffer.alloc(65_000, 1) };
    try {
      extract(tarArchive([{ path: 'f', xattrs }]));
    } catch (error) {
      // File systems differ in what they have room for; none of them loses an attribute in silence.
      assert.ok(error instanceof Fault && error.kind === 'exhausted', String(error));
      assert.match(error.message, /"user\.larger?" of 6\d000 bytes has no room/);
    }
  });
});
