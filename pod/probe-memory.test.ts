import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordStore } from '../ground/records.ts';
import { UNTRIED, type ProbeResult } from './handler-probe.ts';
import { ProbeMemory, type Circumstances } from './probe-memory.ts';

const HERE: Circumstances = {
  bootId: 'b1',
  berth: '1.0.0',
  cgroupDriver: 'cgroupfs',
  cgroupParent: '/berth',
  closed: '',
};
const GOOD: ProbeResult = {
  version: 'crun 1.8',
  usable: true,
  reason: '',
  features: { recursiveReadOnly: true, userNamespaces: true, submountsInUserns: true, commandCgroups: 'all' },
  noUserNamespaces: '',
};

describe('what trials of runtimes found', () => {
  let directory: string;
  let runtime: { name: string; path: string };
  let records: RecordStore;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-trials-'));
    runtime = { name: 'crun', path: join(directory, 'crun') };
    writeFileSync(runtime.path, 'one');
    records = new RecordStore(':memory:');
    new ProbeMemory(records, HERE).keep(runtime, GOOD);
  });

  afterEach(() => {
    records.close();
    rmSync(directory, { recursive: true });
  });

  it('holds for the same program under the same circumstances', () => {
    assert.deepEqual(new ProbeMemory(records, HERE).recall(runtime), GOOD);
    assert.equal(new ProbeMemory(records, HERE).recall({ ...runtime, name: 'runc' }), undefined);
  });

  it('does not hold for another program, boot, version of Berth, cgroup driver or way to the state', () => {
    for (const other of [
      { bootId: 'b2' },
      { berth: '1.0.1' },
      { cgroupDriver: 'systemd' },
      { cgroupParent: '/x' },
      { closed: '/root' },
    ])
      assert.equal(new ProbeMemory(records, { ...HERE, ...other }).recall(runtime), undefined);
    writeFileSync(runtime.path, 'another one');
    assert.equal(new ProbeMemory(records, HERE).recall(runtime), undefined);
  });

  it('is forgotten when it was no good news', () => {
    const memory = new ProbeMemory(records, HERE);
    memory.keep(runtime, { ...UNTRIED, reason: 'broken' });
    assert.equal(memory.recall(runtime), undefined);
  });
});
