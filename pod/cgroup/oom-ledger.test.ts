import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OomLedger } from './oom-ledger.ts';

describe('the ledger of kills for want of memory', () => {
  let tree: string;
  beforeEach(() => {
    tree = mkdtempSync(join(tmpdir(), 'berth-ledger-'));
  });
  afterEach(() => rmSync(tree, { recursive: true }));

  const counts = (path: string, kills: number): void => {
    mkdirSync(join(tree, path), { recursive: true });
    writeFileSync(join(tree, path, 'memory.events'), `low 0\noom 9\noom_kill ${kills}\n`);
  };
  const vanishes = (path: string): void => rmSync(join(tree, path), { recursive: true });
  const open = (): OomLedger => new OomLedger({ version: 2, trees: [tree] });

  it('gives a container whose cgroup has vanished what the pod counted for it', () => {
    const ledger = open();
    counts('/pod', 4);
    for (const id of ['a', 'b', 'c']) {
      counts(`/pod/${id}`, 0);
      ledger.enter(id, `/pod/${id}`);
    }
    counts('/pod/b', 2);
    counts('/pod', 9);
    vanishes('/pod/a');
    assert.equal(ledger.leave('a', '/pod/a', true), 3);
    vanishes('/pod/c');
    assert.equal(ledger.leave('c', '/pod/c', true), 0, 'killed by somebody else');
    assert.equal(ledger.leave('b', '/pod/b', false), 2, 'its own cgroup is there and knows');
  });

  it('blames nobody twice, and nobody who was not killed', () => {
    const ledger = open();
    counts('/pod', 0);
    for (const id of ['a', 'b', 'c']) {
      counts(`/pod/${id}`, 0);
      ledger.enter(id, `/pod/${id}`);
    }
    counts('/pod', 2);
    for (const id of ['a', 'b', 'c']) vanishes(`/pod/${id}`);
    assert.equal(ledger.leave('c', '/pod/c', false), 0);
    assert.equal(ledger.leave('a', '/pod/a', true), 1);
    assert.equal(ledger.leave('b', '/pod/b', true), 1);
  });

  it('knows of a killed child, whose parent ended by itself', () => {
    const ledger = open();
    counts('/pod', 1);
    for (const id of ['a', 'b']) {
      counts(`/pod/${id}`, 0);
      ledger.enter(id, `/pod/${id}`);
    }
    counts('/pod', 3);
    vanishes('/pod/a');
    assert.equal(ledger.leave('a', '/pod/a', false), 2);
    vanishes('/pod/b');
    assert.equal(ledger.leave('b', '/pod/b', false), 0);
  });

  it('takes up what lived before the daemon', () => {
    counts('/pod', 7);
    counts('/pod/a', 3);
    counts('/pod/b', 1);
    const ledger = open();
    ledger.enter('a', '/pod/a');
    ledger.enter('b', '/pod/b');
    vanishes('/pod/a');
    assert.equal(ledger.leave('a', '/pod/a', true), 3);
    counts('/pod', 9);
    vanishes('/pod/b');
    assert.equal(ledger.leave('b', '/pod/b', true), 3);
    assert.equal(ledger.leave('b', '/pod/b', true), 0);
    counts('/pod/new', 0);
    ledger.enter('new', '/pod/new');
    vanishes('/pod/new');
    assert.equal(ledger.leave('new', '/pod/new', true), 0);
  });
});
