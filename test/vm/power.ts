import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { INSIDE, type Machine } from './machine.ts';
import type { Steps } from './steps.ts';

/*
 * The machine goes off, in order and not, and comes back: the daemon starts by itself, nothing that was committed is
 * damaged, what lived is over, all addresses are free, new pods start. The steps inside are inside/scenario.ts.
 */

const LIMIT_MS = 900_000;
const PODS = 20;
/** Pods that run when the power goes during the start of all. */
const ENOUGH = 6;

interface Look {
  ready: number;
  running: number;
  sandboxes: string[];
  containers: string[];
  /** Containers without the times that their state has. */
  timeless: number;
  images: string[];
  /** Addresses that some sandbox holds. */
  leases: number;
  check: { pods: object[]; store: { verified: number; unverifiable: number; findings: object[] } };
  /** Layers that were set aside. */
  quarantined: string;
}

const BUSYBOX = '127.0.0.1:5000/busybox:1';
export const LARGE = '127.0.0.1:5000/large:1';

/** The command of a step inside. */
export function scenario(step: string, argument = 0): string {
  return `cd ${INSIDE} && bin/node --disable-warning=ExperimentalWarning test/vm/inside/scenario.ts ${step} ${argument}`;
}

async function look(machine: Machine): Promise<Look> {
  return JSON.parse(await machine.sh(scenario('look'), { limitMs: LIMIT_MS })) as Look;
}

/** Waits for the daemon as systemd starts it, without a hand of ours. */
async function served(machine: Machine): Promise<void> {
  await machine.sh(
    'for i in $(seq 600); do systemctl is-active -q berth && exit; sleep 0.2; done; journalctl -u berth | tail -n 40; exit 1',
    { limitMs: LIMIT_MS },
  );
}

/** What has to hold after every boot, whatever happened before it. */
export async function soundAfterBoot(machine: Machine, newPods = 1): Promise<Look> {
  await served(machine);
  const found = await look(machine);
  assert.deepEqual([found.ready, found.running], [0, 0], 'what lived is over');
  assert.equal(found.leases, 0, 'all addresses are free');
  assert.equal(found.timeless, 0, 'every container has its times');
  assert.deepEqual(found.check.pods, [], 'records and kernel agree');
  assert.deepEqual(found.check.store.findings, [], 'nothing that was committed is damaged');
  assert.equal(found.quarantined, '', 'no layer had to be set aside');
  assert.ok(found.images.includes(BUSYBOX), 'the image is there');
  const said = await machine.sh(scenario('go-on', newPods), { limitMs: LIMIT_MS });
  assert.match(said, /works/);
  return found;
}

/**
 * Runs a step until its output holds what is waited for, and `moment` after that, then cuts the power in the middle of it.
 * Resolves with what the step said until then.
 */
export async function cutDuring(
  machine: Machine,
  step: string,
  argument: number,
  enough: (output: string) => boolean,
  moment: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string> {
  let output = '';
  const reached = Promise.withResolvers<void>();
  const running = machine.run(['sh', '-c', scenario(step, argument)], {
    limitMs: LIMIT_MS,
    onOutput: (data) => {
      output += data.toString();
      if (enough(output)) reached.resolve();
    },
  });
  // It ends with the machine; when it ends before that, the cut would come too late.
  running.then(
    ({ code }) => reached.reject(new Error(`${step} ended (${code}) before the power was cut:\n${output}`)),
    () => undefined,
  );
  await reached.promise;
  await moment();
  await machine.cutPower();
  return output;
}

/** All of it, on a machine that is up and whose service nobody else uses any more. */
export async function powerScenarios(machine: Machine, steps: Steps): Promise<void> {
  const ready = await steps.step('power: the daemon, a registry and images', () =>
    machine.sh(scenario('prepare'), { limitMs: LIMIT_MS }),
  );
  if (!ready) return;
  await steps.step(`power: lost while ${PODS} pods start`, async () => {
    const count = (output: string): number =>
      output.split('\n').filter((line) => line.startsWith('runs ')).length;
    await cutDuring(machine, 'start-pods', PODS, (output) => count(output) >= ENOUGH);
    await machine.boot();
    await soundAfterBoot(machine, PODS);
  });
  await steps.step('power: a clean reboot with pods that run', async () => {
    await machine.sh(scenario('start-pods', 3), { limitMs: LIMIT_MS });
    const before = await look(machine);
    assert.deepEqual([before.ready, before.running, before.leases], [3, 3, 3]);
    await machine.reboot();
    const after = await soundAfterBoot(machine);
    assert.deepEqual(
      new Set(after.containers),
      new Set(before.containers),
      'an orderly reboot forgets nothing',
    );
  });
  await steps.step('power: lost while an image is pulled, which can be pulled again', async () => {
    const watch = machine.sh(
      'while ! find /var/lib/berth/images -type f -size +2M -newer /run/lane-mark | grep -q .; do sleep 0.05; done',
      {
        limitMs: LIMIT_MS,
      },
    );
    watch.catch(() => undefined); // it goes with the machine when the pull is too quick for it
    let seen = false;
    void watch.then(
      () => (seen = true),
      () => undefined,
    );
    await machine.sh('touch /run/lane-mark');
    const pull = machine.run(['sh', '-c', scenario('pull-large')], { limitMs: LIMIT_MS });
    pull.catch(() => undefined);
    while (!seen) await sleep(20);
    await machine.cutPower();
    await machine.boot();
    const after = await soundAfterBoot(machine);
    assert.ok(!after.images.includes(LARGE), 'the pull was not over');
    assert.match(await machine.sh(scenario('pull-large'), { limitMs: LIMIT_MS }), /pulled sha256:/);
  });
  await steps.step('power: lost right after a pull was answered, which keeps its image', async () => {
    await machine.cutPower();
    await machine.boot();
    const after = await soundAfterBoot(machine);
    assert.ok(after.images.includes(LARGE));
    assert.ok(after.check.store.verified >= 4, `${after.check.store.verified} layers were verified`);
  });
  await steps.step('goes off in order', () => machine.powerOff());
}
