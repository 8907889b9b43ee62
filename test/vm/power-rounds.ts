import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { prepareImages } from './images.ts';
import { Machine } from './machine.ts';
import { cutDuring, LARGE, scenario, soundAfterBoot } from './power.ts';
import { Steps } from './steps.ts';

/*
 * The power goes again and again, each time at another moment: `node test/vm/power-rounds.ts --rounds 20`. Pods and an
 * image come and go until then; after each boot has to hold what the lane asks for after its few losses. Not a part of the
 * lane: a round takes a minute. The last line is `N passed, N failed`.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    /** Pods that come and go at once. */
    pods: { type: 'string', default: '3' },
    /** The power stays on for so long at most. */
    'longest-ms': { type: 'string', default: '8000' },
  },
});

const steps = new Steps();

async function round(machine: Machine): Promise<void> {
  const onMs = Math.random() * Number(values['longest-ms']);
  const said = await cutDuring(
    machine,
    'churn',
    Number(values.pods),
    (output) => output.includes('a pod came and went'),
    () => sleep(onMs),
  );
  steps.say(
    `       the power went ${onMs.toFixed(0)} ms after the first pod: ${said.split('\n').length} lines`,
  );
  await machine.boot();
  const after = await soundAfterBoot(machine, 2);
  const last = said.split('\n').findLast((line) => line.startsWith('large: '));
  if (last === 'large: there')
    assert.ok(after.images.includes(LARGE), 'an image whose pull was answered is there');
}

async function main(): Promise<void> {
  const machine = await Machine.make(await prepareImages((line) => steps.say(line)));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void machine.destroy().then(() => process.exit(130)));
  try {
    await machine.boot();
    await machine.bringSources();
    await machine.sh(scenario('prepare'), { limitMs: 300_000 });
    for (let index = 1; index <= Number(values.rounds); index++) {
      const well = await steps.step(`round ${index}`, () => round(machine));
      // What a round left damaged would fail all the rest.
      if (!well) break;
    }
  } finally {
    await machine.destroy();
  }
}

await main().catch((error: unknown) => steps.step('the rounds', () => Promise.reject(error)));
console.log(`${steps.passed} passed, ${steps.failed} failed`);
process.exitCode = steps.failed === 0 ? 0 : 1;
