import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync, linkSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Fault } from '../../ground/fault.ts';
import { BLOCK, type EntryType, type TarEntry } from './format.ts';
import { TarReader, nameBytes, nameText } from './reader.ts';
import { paxRecord, tarArchive, tarEntry, type NewEntry } from './writer.ts';

type Read = TarEntry & { content: Buffer };

function read(bytes: Buffer, cuts: number[] = []): Read[] {
  const entries: Read[] = [];
  const reader = new TarReader({
    begin: (entry) => void entries.push({ ...entry, content: Buffer.alloc(0) }),
    content: (part) => (entries.at(-1)!.content = Buffer.concat([entries.at(-1)!.content, part])),
    end() {},
  });
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].toSorted(
    (a, b) => a - b,
  );
  for (let i = 1; i < places.length; i++) reader.push(bytes.subarray(places[i - 1], places[i]));
  reader.finish();
  return entries;
}

function refuses(bytes: Buffer, pattern: RegExp): void {
  assert.throws(
    () => read(bytes),
    (error) => error instanceof Fault && error.kind === 'invalid' && pattern.test(error.message),
  );
}

/** A header block like the writer's, with some bytes set and the checksum put right. */
function patched(entry: NewEntry, patches: [number, Buffer | string][]): Buffer {
  const bytes = tarEntry(entry);
  for (const [offset, value] of patches) Buffer.from(value).copy(bytes, offset);
  bytes.fill(' ', 148, 156);
  const sum = bytes.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

function metadata(flag: string, content: Buffer): Buffer {
  return patched({ path: 'meta', content }, [[156, flag]]);
}

describe('TarReader', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 120 })
    .filter((text) => !/[\0]/.test(text) && text.isWellFormed() && !text.endsWith('/'));
  const entry = fc.record({
    path: name,
    type: fc.constantFrom<EntryType>('file', 'symlink', 'hardlink', 'fifo', 'char', 'block', 'directory'),
    mode: fc.nat(0o7777),
    uid: fc.oneof(fc.nat(5), fc.nat(2 ** 31)),
    gid: fc.oneof(fc.nat(5), fc.nat(2 ** 31)),
    mtimeNs: fc.bigInt(-(2n ** 33n) * 10n ** 9n, 2n ** 33n * 10n ** 9n),
    link: name,
    xattrs: fc.dictionary(fc.stringMatching(/^user\.[a-z]{1,20}$/), fc.uint8Array({ maxLength: 60 }), {
      maxKeys: 3,
    }),
    content: fc.uint8Array({ maxLength: 1500 }),
  });

  it('reads what the writer wrote, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 6 }),
        fc.array(fc.nat(20_000), { maxLength: 12 }),
        (entries, cuts) => {
          const kept = entries.map((each) => ({
            ...each,
            content: each.type === 'file' ? each.content : new Uint8Array(),
          }));
          const found = read(tarArchive(kept), cuts);
          assert.deepEqual(
            found.map((each) => ({
              path: each.path,
              type: each.type,
              mode: each.mode,
              uid: each.uid,
              gid: each.gid,
              mtimeNs: each.mtimeNs,
              link: each.link,
              xattrs: Object.fromEntries(each.xattrs),
              content: each.content,
            })),
            kept.map((each) => ({
              ...each,
              xattrs: Object.fromEntries(
                Object.entries(each.xattrs).map(([key, value]) => [key, Buffer.from(value)]),
              ),
              content: Buffer.from(each.content),
            })),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it('takes any bytes and either reads them or throws a Fault', () => {
    const sound = tarArchive([
      { path: 'a', content: 'x' },
      { path: 'l'.repeat(200), uid: 2 ** 30 },
    ]);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
        const bytes = Buffer.from(sound);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          read(bytes);
        } catch (error) {
          assert.ok(error instanceof Fault && error.kind === 'invalid', String(error));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('reads every format that GNU tar writes', () => {
    const directory = mkdtempSync(join(tmpdir(), 'berth-tar-'));
    try {
      const long = `${'d'.repeat(90)}/${'f'.repeat(140)}`;
      mkdirSync(join(directory, 'd'.repeat(90)));
      writeFileSync(join(directory, long), 'long');
      writeFileSync(join(directory, 'plain'), 'plain');
      linkSync(join(directory, 'plain'), join(directory, 'twin'));
      symlinkSync('t'.repeat(180), join(directory, 'link'));
      for (const format of ['gnu', 'pax', 'ustar', 'v7', 'oldgnu']) {
        const short = format === 'ustar' || format === 'v7';
        const names = short ? ['plain', 'twin'] : ['plain', 'twin', 'link', long];
        const big = format === 'gnu' || format === 'pax' ? ['--owner=:3000000000'] : [];
        const { stdout } = spawnSync('tar', ['-c', `--format=${format}`, '--sort=name', ...big, ...names], {
          cwd: directory,
          maxBuffer: 1 << 20,
        });
        const found = read(stdout);
        assert.deepEqual(
          found.map((each) => each.path),
          names,
          format,
        );
        assert.equal(found[1]!.link, 'plain');
        if (big.length > 0) assert.equal(found[0]!.uid, 3_000_000_000);
        if (!short) assert.equal(found[2]!.link, 't'.repeat(180));
        if (!short) assert.equal(String(found[3]!.content), 'long');
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('applies global headers, and lets an entry take them back', () => {
    const archive = Buffer.concat([
      metadata(
        'g',
        Buffer.concat([
          paxRecord('uid', Buffer.from('77')),
          paxRecord('SCHILY.xattr.user.a', Buffer.from('g')),
        ]),
      ),
      tarEntry({ path: 'one', uid: 5 }),
      metadata('x', paxRecord('uid', Buffer.from(''))),
      tarEntry({ path: 'two', uid: 5 }),
    ]);
    assert.deepEqual(
      read(archive).map((each) => [each.path, each.uid, String(each.xattrs.get('user.a'))]),
      [
        ['one', 77, 'g'],
        ['two', 5, 'g'],
      ],
    );
  });

  it('joins the ustar prefix, and knows old directories by their slash', () => {
    const archive = Buffer.concat([
      patched({ path: 'name' }, [[345, 'pre/fix']]),
      patched({ path: 'old/' }, [[156, '\0']]),
      patched({ path: 'contiguous', content: 'c' }, [[156, '7']]),
    ]);
    assert.deepEqual(
      read(archive).map((each) => [each.path, each.type]),
      [
        ['pre/fix/name', 'file'],
        ['old/', 'directory'],
        ['contiguous', 'file'],
      ],
    );
  });

  it('reads base-256 numbers, also negative ones', () => {
    const number = (value: bigint, length: number): Buffer => {
      const bytes = Buffer.alloc(length);
      for (let i = length - 1, rest = BigInt.asUintN(length * 8, value); i >= 0; i--, rest >>= 8n)
        bytes[i] = Number(rest & 0xffn);
      bytes[0]! |= 0x80;
      return bytes;
    };
    const [found] = read(
      patched({ path: 'x' }, [
        [108, number(4_000_000_000n, 8)],
        [136, number(-5n, 12)],
      ]),
    );
    assert.equal(found!.uid, 4_000_000_000);
    assert.equal(found!.mtimeNs, -5_000_000_000n);
  });

  it('keeps names that are no UTF-8', () => {
    const raw = Buffer.from([0x61, 0x2f, 0xff, 0xfe, 0x2f, 0xc3, 0xa9]);
    const text = nameText(raw);
    assert.deepEqual(nameBytes('/h/', text), Buffer.concat([Buffer.from('/h/'), raw]));
    assert.equal(nameBytes('/h/', 'é'), '/h/é');
  });

  it('refuses what it cannot read', () => {
    refuses(Buffer.alloc(600, 'x'), /is no tar/);
    refuses(patched({ path: 's' }, [[156, 'S']]), /sparse/);
    refuses(
      Buffer.concat([
        metadata('x', paxRecord('GNU.sparse.major', Buffer.from('1'))),
        tarEntry({ path: 's' }),
      ]),
      /sparse/,
    );
    refuses(patched({ path: 'v' }, [[156, 'V']]), /unknown type/);
    refuses(tarEntry({ path: 'a', content: 'x'.repeat(600) }).subarray(0, 900), /middle of an entry/);
    refuses(tarEntry({ path: 'a' }).subarray(0, 100), /middle of an entry/);
    refuses(metadata('x', Buffer.from('99 path=x\n')), /extended header/);
    refuses(metadata('x', Buffer.from('nonsense')), /extended header/);
    refuses(
      Buffer.concat([metadata('x', paxRecord('size', Buffer.from('-1'))), tarEntry({ path: 's' })]),
      /size/,
    );
    refuses(
      Buffer.concat([metadata('x', paxRecord('mtime', Buffer.from('1e9'))), tarEntry({ path: 's' })]),
      /mtime/,
    );
    refuses(
      patched({ path: 'm' }, [
        [156, 'x'],
        [124, '77777777777\0'],
      ]),
      /header of/,
    );
  });
});
