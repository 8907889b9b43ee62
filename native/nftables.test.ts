import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { NfTables } from './nftables.ts';
import { compare, counter, masquerade, meta, verdict } from './nftables-expressions.ts';
import * as nf from './nftables-messages.ts';

const REF = { family: nf.NFPROTO.ip, table: 'berth-test' };
const PORTS = { name: 'ports', keyType: nf.DATA_TYPE.port, keyLength: 2 };
const COUNT = 1000;

/** A process of its own, in a network namespace of its own, that runs `main` of this file. */
const MARK = 'BERTH_TEST_NFTABLES';

function key(port: number): Buffer {
  return Buffer.from([port >> 8, port & 255]);
}

const CASES: Record<string, (nft: NfTables) => Promise<void>> = {
  'a transaction is all or nothing': async (nft) => {
    const before = nft.generation();
    await nft.commit([
      nf.tableAdd(REF, 'note'),
      nf.chainAdd(REF, { name: 'out', hook: { type: 'nat', hook: 'postrouting', priority: 100 } }),
      nf.ruleAdd(REF, 'out', [meta(0, 'l4proto'), compare(0, Buffer.from([6])), counter(), masquerade()], {
        comment: 'berth:a',
      }),
      nf.setAdd(REF, PORTS),
      ...nf.elementsAdd(REF, 'ports', [{ key: key(80), comment: 'berth:a' }]),
    ]);
    assert.equal(nft.generation(), before + 1);
    await assert.rejects(
      nft.commit([
        ...nf.elementsAdd(REF, 'ports', [{ key: key(81), comment: 'berth:b' }]),
        ...nf.elementsDel(REF, 'ports', [key(4000)]),
        nf.ruleAdd(REF, 'nowhere', [verdict('accept')]),
      ]),
      { code: 'ENOENT', call: 'delete elements berth-test ports' },
    );
    assert.deepEqual(comments(nft), ['berth:a']);
    const shown = spawnSync('nft', ['-s', 'list', 'table', 'ip', REF.table], { encoding: 'utf8' }).stdout;
    assert.match(shown, /comment "note"/);
    assert.match(shown, /meta l4proto tcp counter masquerade comment "berth:a"/);
    assert.match(shown, /elements = \{ 80 comment "berth:a" \}/);
  },
  'elements of more than one message, found again by key': async (nft) => {
    const elements = Array.from({ length: COUNT }, (_, n) => ({ key: key(n + 1), comment: `berth:p${n}` }));
    await nft.commit([nf.tableAdd(REF), nf.setAdd(REF, PORTS), ...nf.elementsAdd(REF, 'ports', elements)]);
    assert.equal(comments(nft).length, COUNT);
    const one = nft.get('get', nf.NFT_GET.element, REF.family, nf.elementsOf(REF, 'ports', key(7)));
    assert.deepEqual(
      nf.readElements(one!).map(({ comment }) => comment),
      ['berth:p6'],
    );
    const none = nf.elementsOf(REF, 'ports', key(COUNT + 1));
    assert.equal(nft.get('get', nf.NFT_GET.element, REF.family, none), undefined);
  },
  'questions while a transaction runs get their own answers': async (nft) => {
    const elements = Array.from({ length: COUNT }, (_, n) => ({ key: key(n + 1), comment: 'x' }));
    const running = nft.commit([
      nf.tableAdd(REF),
      nf.setAdd(REF, PORTS),
      ...nf.elementsAdd(REF, 'ports', elements),
    ]);
    const second = nft.commit(nf.elementsDel(REF, 'ports', [key(1)]));
    for (let asked = 0; asked < 50; asked++) nft.dump('get tables', nf.NFT_GET.table, REF.family);
    await running;
    await second;
    assert.equal(comments(nft).length, COUNT - 1);
    await nft.commit([nf.tableDel(REF)]);
    await assert.rejects(nft.commit([nf.tableDel(REF)]), { code: 'ENOENT' });
  },
};

function comments(nft: NfTables): string[] {
  return nft
    .dump('get elements', nf.NFT_GET.element, REF.family, nf.elementsOf(REF, 'ports'))
    .flatMap(nf.readElements)
    .map(({ comment }) => comment);
}

const asked = process.env[MARK];
if (asked === undefined)
  describe('nf_tables', () => {
    for (const name of Object.keys(CASES))
      it(name, () => {
        const { status, stderr } = spawnSync('unshare', ['-n', process.execPath, import.meta.filename], {
          encoding: 'utf8',
          env: { ...process.env, [MARK]: name },
        });
        assert.equal(status, 0, stderr);
      });
  });
else {
  using nft = new NfTables();
  await CASES[asked]!(nft);
}
