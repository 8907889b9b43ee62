import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { SILENT } from '../ground/log.ts';
import { RecordStore } from '../ground/records.ts';
import { E, ErrnoError } from '../native/errno.ts';
import { LayerStore } from './layers/layer-store.ts';
import { UnpackPool } from './layers/unpack-pool.ts';
import { ProjectQuotas, type QuotaKernel } from './project-quotas.ts';
import { OverlaySnapshots } from './snapshots.ts';
import { Trash } from './trash.ts';

/** What a file system with project quotas keeps of them. */
class Accounts implements QuotaKernel {
  accounting = true;
  enforcing = true;
  readonly used = new Map<number, { bytes: number; inodes: number }>();
  readonly limits = new Map<number, number>();
  readonly owners = new Map<string, number>();

  state = (): { accounting: boolean; enforcing: boolean } => ({
    accounting: this.accounting,
    enforcing: this.enforcing,
  });
  usage = (path: string, project: number): ReturnType<QuotaKernel['usage']> => {
    this.#on(path);
    const used = this.used.get(project) ?? { bytes: 0, inodes: 0 };
    return { ...used, limitBytes: this.limits.get(project) ?? 0 };
  };
  limit = (path: string, project: number, bytes: number): void => {
    this.#on(path);
    this.limits.set(project, bytes);
  };
  give = (directory: string, project: number): void => {
    assert.ok(existsSync(directory));
    this.owners.set(directory, project);
  };

  #on(path: string): void {
    if (!this.accounting) throw new ErrnoError(`quotactl ${path}`, E.ESRCH);
  }
}

describe('projects of writable layers', () => {
  let root: string;
  let records: RecordStore;
  let accounts: Accounts;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-projects-'));
    records = new RecordStore(join(root, 'records.db'));
    accounts = new Accounts();
  });
  afterEach(() => {
    records.close();
    rmSync(root, { recursive: true });
  });
  const quotas = (limit = 0): ProjectQuotas => new ProjectQuotas(root, limit, accounts);
  const snapshots = (limit = 0): OverlaySnapshots => {
    const trash = new Trash(join(root, 'trash'), SILENT);
    const pool = new UnpackPool();
    const layers = new LayerStore({ root, table: records.table('layers'), pool, trash, log: SILENT });
    const table = records.table<{ layers: string[]; project?: number }>('snapshots');
    const removed = (): void => {};
    const parts = { root, table, layers, trash, log: SILENT, removed };
    return new OverlaySnapshots({ ...parts, limit, quotaKernel: accounts });
  };
  const given = (): [string, number][] =>
    [...accounts.owners].map(([path, project]) => [relative(join(root, 'snapshots'), path), project]);

  it('are ids that neither a record nor a file has', () => {
    const chosen = quotas();
    const first = chosen.choose(new Set())!;
    // Still being deleted, or somebody else's.
    accounts.used.set(first + 1, { bytes: 0, inodes: 1 });
    assert.equal(chosen.choose(new Set([first + 2])), first + 3);
    assert.equal(quotas().choose(new Set([first])), first + 2, 'another daemon begins at the first');
  });

  it('are not there where the file system does not count', () => {
    accounts.accounting = accounts.enforcing = false;
    assert.equal(quotas().choose(new Set()), undefined);
    accounts.accounting = true;
    assert.ok(quotas().choose(new Set())! > 0, 'counting is worth it without limits');
  });

  it('refuse a limit that would not be kept, and say which option is missing', () => {
    accounts.enforcing = false;
    assert.throws(() => quotas(1 << 20).choose(new Set()), {
      kind: 'precondition',
      message: /cannot limit writable layers; .*(prjquota|pquota).*image\.writable_layer_limit/,
    });
    const made = snapshots(1 << 20);
    assert.throws(() => made.prepare('c1', []), { kind: 'precondition' });
    assert.deepEqual(made.list(), [], 'nothing is left of it');
    made.prepareView('v1', []);
  });

  it('bound all that a container writes, one project each', async () => {
    const made = snapshots(5 << 20);
    made.prepare('c1', []);
    made.prepare('c2', []);
    made.prepareView('v1', []);
    made.volume('c1', '0');
    const [one, two] = [...accounts.limits.keys()];
    assert.deepEqual(
      new Map(given()),
      new Map([
        ['c1/fs', one],
        ['c1/volumes/0', one],
        ['c1/work', one],
        ['c2/fs', two],
        ['c2/work', two],
      ]),
    );
    assert.deepEqual([...accounts.limits.values()], [5 << 20, 5 << 20]);
    accounts.used.set(one!, { bytes: 4096, inodes: 3 });
    accounts.used.set(two!, { bytes: 100, inodes: 1 });
    const { usedBytes, inodesUsed } = await made.usage('c1');
    assert.deepEqual([usedBytes, inodesUsed], [4096, 3]);
    assert.deepEqual(await made.total(1000), { bytes: 4196, inodes: 4 });
    made.remove('c1');
    assert.equal(accounts.limits.get(one!), 0, 'the bound goes with the layer');
    // Its files are still being deleted: nobody gets its id.
    made.prepare('c3', []);
    assert.deepEqual([...accounts.limits.keys()].length, 3);
  });

  it('stay with their layers over a restart', async () => {
    snapshots().prepare('c1', []);
    const [[, project]] = given() as [[string, number]];
    accounts.used.set(project, { bytes: 7, inodes: 1 });
    const again = snapshots();
    assert.equal((await again.usage('c1')).usedBytes, 7);
    again.prepare('c2', []);
    assert.equal(new Set(accounts.owners.values()).size, 2);
    // The file system is mounted without quotas now: layers are walked, and removed as ever.
    accounts.accounting = accounts.enforcing = false;
    const third = snapshots();
    assert.equal((await third.usage('c1')).inodesUsed, 1);
    assert.ok((await third.total(1000)).inodes >= 2);
    third.remove('c1');
    assert.deepEqual(third.list(), ['c2']);
  });
});
