import assert from 'node:assert/strict';
import { STAGES, type Operation } from '../../ground/stages.ts';
import { POD_STARTS, RecentWork, type Names } from './recent-work.ts';
import { startsOf } from './snapshot-starts.ts';

describe('recent work', () => {
  let nowMs: number;
  let recent: RecentWork;
  const containers = new Map<string, NonNullable<ReturnType<Names['container']>>>();
  /** Sandboxes that failed are gone when their work ends. */
  const gone = new Set<string>();

  beforeEach(() => {
    nowMs = 1000;
    containers.clear();
    gone.clear();
    recent = new RecentWork(() => nowMs);
    recent.know({
      sandbox: (id) => (gone.has(id) ? undefined : { namespace: 'default', name: `pod-${id}` }),
      container: (id) => containers.get(id),
      imageId: (name) => `id of ${name}`,
    });
  });

  const run = (operation: Operation, id: string, stageMs: number, fails?: string): void => {
    for (const stage of STAGES[operation]) {
      recent.enter(operation, id, stage);
      nowMs += stageMs;
      if (stage !== fails) continue;
      gone.add(id);
      return recent.leave(operation, id, 'failed');
    }
    recent.leave(operation, id, 'done');
  };
  const contain = (id: string, sandboxId: string, name = id): void =>
    void containers.set(id, { id, sandboxId, name, imageId: 'id of image:1' });
  const starts = (): ReturnType<typeof startsOf> => startsOf(recent, new Date(0));

  it('tells what runs, at which stage since when', () => {
    const before = Date.now();
    recent.enter('RunPodSandbox', 's', 'reserve');
    recent.enter('RunPodSandbox', 's', 'network');
    const [one, ...others] = recent.running();
    assert.deepEqual(others, []);
    assert.deepEqual([one?.operation, one?.id, one?.stage], ['RunPodSandbox', 's', 'network']);
    assert.ok(one!.beganAt >= before && one!.stageAt >= one!.beganAt);
    recent.leave('RunPodSandbox', 's', 'done');
    assert.deepEqual(recent.running(), []);
  });

  it('puts sandbox, network, pull, create and start of a pod on one line of time', () => {
    run('RunPodSandbox', 's', 2);
    nowMs += 5;
    run('PullImage', 'image:1', 100);
    contain('c', 's', 'app');
    run('CreateContainer', 'c', 3);
    run('StartContainer', 'c', 1);
    const { starts: all, medians } = starts();
    const [start] = all;
    assert.equal(all.length, 1);
    assert.deepEqual([start!.namespace, start!.name, start!.outcome], ['default', 'pod-s', 'done']);
    assert.deepEqual(start!.phases, { pull: 400, sandbox: 8, network: 2, create: 21, start: 2 });
    assert.deepEqual(medians, start!.phases);
    assert.deepEqual(
      start!.steps.map(({ phase, subject, startMs, ms }) => [phase, subject, startMs, ms]),
      [
        ['sandbox', '', 0, 8],
        ['network', '', 6, 2],
        ['pull', 'image:1', 15, 400],
        ['create', 'app', 415, 21],
        ['start', 'app', 436, 2],
      ],
    );
    assert.equal(start!.totalMs, 438);
  });

  it('counts no pull that nobody of the pod waited for', () => {
    run('PullImage', 'image:1', 10);
    run('RunPodSandbox', 's', 1);
    contain('c', 's');
    run('CreateContainer', 'c', 1);
    run('PullImage', 'image:1', 10);
    run('PullImage', 'image:2', 10);
    assert.deepEqual(starts().starts[0]!.phases.pull, 0);
  });

  it('takes the first container of each name alone: what follows are restarts', () => {
    run('RunPodSandbox', 's', 1);
    for (const [id, name] of [
      ['a', 'app'],
      ['b', 'sidecar'],
      ['c', 'app'],
    ] as const) {
      contain(id, 's', name);
      run('CreateContainer', id, 1);
      run('StartContainer', id, 1);
    }
    const [start] = starts().starts;
    assert.deepEqual(
      start!.steps.filter(({ phase }) => phase === 'start').map(({ subject }) => subject),
      ['app', 'sidecar'],
    );
  });

  it('tells of starts that failed, and of pods that are gone', () => {
    run('RunPodSandbox', 'good', 1);
    run('RunPodSandbox', 'bad', 1, 'network');
    gone.add('good');
    const { starts: all, medians } = starts();
    assert.deepEqual(
      all.map(({ name, outcome }) => [name, outcome]),
      [
        ['pod-bad', 'failed'],
        ['pod-good', 'done'],
      ],
    );
    // What failed is no measure of how long it takes.
    assert.deepEqual(medians, { sandbox: 4, network: 1 });
  });

  it('remembers so many and no more', () => {
    for (let nth = 0; nth < 3 * POD_STARTS; nth++) run('RunPodSandbox', `s${nth}`, 1);
    for (let nth = 0; nth < 200; nth++) run('PullImage', `image:${nth}`, 1);
    const all = recent.starts();
    assert.equal(all.length, POD_STARTS);
    assert.equal(all[0]!.name, `pod-s${3 * POD_STARTS - 1}`);
    const newest = all[0]!.sandboxId;
    for (let nth = 0; nth < 500; nth++) {
      contain(`c${nth}`, newest);
      run('CreateContainer', `c${nth}`, 1);
      run('StartContainer', `c${nth}`, 1);
    }
    assert.ok(recent.starts()[0]!.works.length <= 64);
    assert.ok(recent.pulls().length <= 40);
    assert.deepEqual(recent.running(), []);
  });

  it('has no start to show for a pod that is under way', () => {
    recent.enter('RunPodSandbox', 's', 'reserve');
    recent.enter('RunPodSandbox', 's', 'record');
    assert.deepEqual(starts().starts, []);
  });
});
