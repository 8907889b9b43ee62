import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { RunCounts } from '../reporter.ts';
import { prepareImages } from './images.ts';
import { INSIDE, Machine } from './machine.ts';
import { powerScenarios } from './power.ts';
import { Steps } from './steps.ts';

/*
 * The lane: `npm run test:vm`. Boots the machine, runs the tests inside that need it, then takes the power away and
 * looks what is left; last, a boot with SELinux in AppArmor's place. Words pick by a part of a file's name, or `power`.
 * The last line is `N passed, N failed`.
 */

const REPOSITORY = join(import.meta.dirname, '../..');
const FILE_LIMIT_MS = 20 * 60_000;
/** An emulated processor is this many times slower, at worst and beside other tests. */
const PATIENCE = 6;

/** Suites of the ordinary lane that behave differently on cgroup v2, under the machine's own systemd or on this kernel. */
const SUITES = ['systemd', 'default-seccomp', 'user-namespaces', 'out-of-memory'];

const words = process.argv.slice(2);
const steps = new Steps();
const wanted = (name: string): boolean => words.length === 0 || words.some((word) => name.includes(word));

function filesInside(): string[] {
  const own = globSync('test/vm/inside/*.test.ts', { cwd: REPOSITORY }).sort();
  const suites = SUITES.map((name) => `test/integration/${name}.test.ts`);
  return [...own, ...suites].filter(wanted);
}

async function bootsRight(machine: Machine): Promise<void> {
  assert.match(await machine.sh('systemctl is-system-running --wait || true'), /running|degraded/);
  assert.equal((await machine.sh('systemctl --failed --no-legend --plain')).trim(), '');
  assert.equal((await machine.sh('cat /proc/1/comm')).trim(), 'systemd');
  assert.equal(
    (await machine.sh("awk '$3 ~ /^cgroup/ { print $3, $2 }' /proc/mounts")).trim(),
    'cgroup2 /sys/fs/cgroup',
  );
  assert.equal((await machine.sh('cat /sys/module/apparmor/parameters/enabled')).trim(), 'Y');
}

/** One test file inside, by a mocha of its own. Its failures are printed as they come. */
async function testInside(machine: Machine, file: string): Promise<void> {
  const mocha = `bin/node node_modules/mocha/bin/mocha.js --forbid-only --forbid-pending --timeout 600000 ${file}`;
  const verbose = process.env.BERTH_TEST_VERBOSE ?? '';
  const env = {
    BERTH_GATE: '1',
    CI: 'true',
    BERTH_TEST_ROUNDS: '5',
    BERTH_TEST_PATIENCE: String(PATIENCE),
    BERTH_TEST_VERBOSE: verbose,
  };
  let counts = '';
  // The counts come on descriptor 3, which is our standard output here; all the rest goes to standard error.
  const { code } = await machine.run(['sh', '-c', `exec 3>&1 1>&2; exec ${mocha}`], {
    cwd: INSIDE,
    env,
    limitMs: FILE_LIMIT_MS,
    onOutput: (data, stream) => {
      if (stream === 1) counts += data.toString();
      else process.stdout.write(data);
    },
  });
  const { passed, failed } = counts === '' ? { passed: 0, failed: 1 } : (JSON.parse(counts) as RunCounts);
  steps.add(file, { passed, failed: failed === 0 && (code !== 0 || passed === 0) ? 1 : failed });
}

/** A file that cannot be run to its end is a failed step, and the next one runs all the same. */
async function tested(machine: Machine, file: string): Promise<void> {
  await testInside(machine, file).catch((error: unknown) => steps.step(file, () => Promise.reject(error)));
}

async function lane(machine: Machine): Promise<void> {
  const withSelinux = globSync('test/vm/inside/selinux/*.test.ts', { cwd: REPOSITORY }).sort().filter(wanted);
  machine.compile([...filesInside(), ...withSelinux]);
  steps.say('booting');
  if (!(await steps.step('boots', () => machine.boot()))) return;
  await machine.bringSources();
  await steps.step('systemd is the first process, cgroup v2 alone, AppArmor on', () => bootsRight(machine));
  for (const file of filesInside()) await tested(machine, file);
  if (wanted('power')) await powerScenarios(machine, steps);
  if (withSelinux.length === 0) return;
  if (machine.running) await machine.powerOff();
  if (!(await steps.step('boots with SELinux', () => machine.boot('selinux')))) return;
  for (const file of withSelinux) await tested(machine, file);
}

async function main(): Promise<void> {
  const machine = await Machine.make(await prepareImages((line) => steps.say(line)));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      steps.say('interrupted');
      void machine.destroy().then(() => process.exit(130));
    });
  try {
    await lane(machine);
  } finally {
    if (steps.failed > 0)
      console.log(`The console ends with:\n${machine.console.split('\n').slice(-40).join('\n')}`);
    await machine.destroy();
  }
}

await main().catch((error: unknown) => steps.step('the lane', () => Promise.reject(error)));
steps.say('the end');
console.log(`${steps.passed} passed, ${steps.failed} failed`);
process.exitCode = steps.failed === 0 ? 0 : 1;
