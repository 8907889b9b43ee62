import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { OciFaults } from './faults.ts';

describe('the OCI runtime that misbehaves on order', () => {
  let directory: string;
  let faults: OciFaults;
  beforeEach(() => {
    directory = mkdtempSync('/tmp/berth-faults-');
    faults = new OciFaults(directory, '/bin/echo');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  interface Outcome {
    code: number | null;
    signal: string | null;
    out: string;
    err: string;
  }
  const runFor = (timeout: number, ...argv: string[]): Outcome => {
    const { status, signal, stdout, stderr } = spawnSync(faults.program, argv, { encoding: 'utf8', timeout });
    return { code: status, signal, out: stdout, err: stderr };
  };
  const run = (...argv: string[]): Outcome => runFor(30_000, ...argv);

  it('does the real work while nothing is ordered', () => {
    assert.equal(run('--root', '/x', 'create', 'id').out, '--root /x create id\n');
    assert.equal(run('--version').code, 0);
    assert.deepEqual(faults.calls(), ['create']);
  });
  it('fails as told, once or until cleared', () => {
    faults.order('start', 'once fail so it is');
    assert.deepEqual(run('start', 'id'), { code: 1, signal: null, out: '', err: 'so it is\n' });
    assert.equal(run('start', 'id').code, 0);
    faults.order('delete', 'fail again');
    assert.equal(run('delete', 'id').code, 1);
    assert.equal(run('delete', 'id').code, 1);
    faults.clear();
    assert.equal(run('delete', 'id').code, 0);
  });
  it('waits, hangs and dies as told', () => {
    faults.order('exec', 'sleep 0.1');
    assert.equal(run('exec', 'id').out, 'exec id\n');
    faults.order('exec', 'hang');
    // Nothing else here takes that long: it would have come back by itself.
    assert.equal(runFor(1_000, 'exec', 'id').signal, 'SIGTERM');
    faults.order('exec', 'die');
    assert.equal(run('exec', 'id').signal, 'SIGKILL');
  });
});
