import assert from 'node:assert/strict';
import { ContainerState, SandboxState, type ContainerStatus, type SandboxStatus } from '../pods.ts';
import { isOver, stepsFor, type Step } from './actions.ts';
import { BackOff } from './back-off.ts';
import type { DesiredContainer, DesiredPod } from './desired.ts';
import type { PodStatus } from './pod-status.ts';

const NOW = 1_000_000;

const container = (name: string, role: DesiredContainer['role'] = 'main'): DesiredContainer => ({
  name,
  role,
  image: 'image',
  command: [],
  exits: [0],
  graceSeconds: 1,
});
const pod = (...containers: DesiredContainer[]): DesiredPod => ({
  name: 'pod',
  uid: 'uid',
  kind: 'kind',
  restart: 'Always',
  hostNetwork: false,
  containers,
  sandbox: {},
});
const sandbox = (attempt: number, state: number = SandboxState.READY): SandboxStatus =>
  ({ id: `s${attempt}`, state, metadata: { attempt }, network: { ip: '10.0.0.1' } }) as SandboxStatus;
const run = (name: string, attempt: number, state: number, exitCode = 0): ContainerStatus =>
  ({
    id: `${name}${attempt}`,
    state,
    exitCode,
    finishedAt: BigInt(NOW) * 1_000_000n,
    metadata: { name, attempt },
  }) as ContainerStatus;
const statusOf = (sandboxes: SandboxStatus[], containers: ContainerStatus[] = []): PodStatus => ({
  sandboxes,
  containers,
  sandboxOf: new Map(containers.map(({ id }) => [id, sandboxes[0]?.id ?? ''])),
});

function steps(of: DesiredPod, status: PodStatus, backOff = new BackOff(1000, 8000), now = NOW): string[] {
  const tell = (step: Step): string[] => {
    if (step.do === 'wait') return [];
    return step.do === 'sandbox'
      ? [`sandbox ${step.attempt}`]
      : [`${step.container.name} ${step.attempt} in ${step.sandboxId}`];
  };
  return stepsFor(of, status, backOff, now, () => 7).flatMap(tell);
}

describe("a kubelet's next steps for a pod", () => {
  const { RUNNING, EXITED, CREATED } = ContainerState;

  it('make a sandbox when there is none that can be used', () => {
    const one = pod(container('main'));
    assert.deepEqual(steps(one, statusOf([])), ['sandbox 0']);
    assert.deepEqual(steps(one, statusOf([sandbox(2, SandboxState.NOTREADY), sandbox(1)])), ['sandbox 3']);
    const mute = { ...sandbox(0), network: { ip: '', additionalIps: [] } };
    assert.deepEqual(steps(one, statusOf([mute])), ['sandbox 1']);
    assert.deepEqual(steps({ ...one, hostNetwork: true }, statusOf([mute])), ['main 7 in s0']);
  });

  it('start init containers one after the other, then sidecars, then all others at once', () => {
    const all = pod(
      container('a', 'init'),
      container('b', 'sidecar'),
      container('c', 'init'),
      container('m'),
      container('n'),
    );
    assert.deepEqual(steps(all, statusOf([sandbox(0)])), ['a 7 in s0']);
    assert.deepEqual(steps(all, statusOf([sandbox(0)], [run('a', 0, RUNNING)])), []);
    assert.deepEqual(steps(all, statusOf([sandbox(0)], [run('a', 0, EXITED)])), ['b 7 in s0']);
    const begun = [run('b', 0, RUNNING), run('a', 0, EXITED)];
    assert.deepEqual(steps(all, statusOf([sandbox(0)], begun)), ['c 7 in s0']);
    const done = [run('c', 0, EXITED), ...begun];
    assert.deepEqual(steps(all, statusOf([sandbox(0)], done)), ['m 7 in s0', 'n 7 in s0']);
  });

  it('count attempts up and wait for the back-off', () => {
    const one = pod(container('main'));
    const crashed = statusOf([sandbox(0)], [run('main', 4, EXITED, 3)]);
    const backOff = new BackOff(1000, 3000);
    assert.deepEqual(steps(one, crashed, backOff), ['main 5 in s0']);
    backOff.started('main', NOW);
    assert.deepEqual(steps(one, crashed, backOff, NOW + 999), []);
    assert.deepEqual(steps(one, crashed, backOff, NOW + 1000), ['main 5 in s0']);
    backOff.started('main', NOW + 1000);
    assert.deepEqual(steps(one, crashed, backOff, NOW + 1999), []);
    for (let time = NOW; time < NOW + 3000; time += 1000) backOff.started('main', time);
    assert.deepEqual(steps(one, crashed, backOff, NOW + 2999), []);
    assert.deepEqual(steps(one, crashed, backOff, NOW + 3000), ['main 5 in s0']);
  });

  it('take a container that was never started for one that has to be made again', () => {
    const status = statusOf([sandbox(0)], [run('main', 0, CREATED)]);
    assert.deepEqual(steps(pod(container('main')), status), ['main 1 in s0']);
  });

  it('leave a job alone that has come to its end', () => {
    const job: DesiredPod = { ...pod(container('main')), restart: 'OnFailure' };
    const failed = statusOf([sandbox(0)], [run('main', 0, EXITED, 5)]);
    assert.deepEqual([steps(job, failed), isOver(job, failed)], [['main 1 in s0'], false]);
    const gone = statusOf([sandbox(0, SandboxState.NOTREADY)], [run('main', 1, EXITED, 0)]);
    assert.deepEqual([steps(job, gone), isOver(job, gone)], [[], true]);
  });
});
