import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { HandedControllers } from './handed-controllers.ts';
import { missingNeeds } from './needs.ts';
import type { RunCounts } from './reporter.ts';
import { SecondTries, type Outcome } from './second-tries.ts';
import { RULES } from './rules/all.ts';
import { SourceTree } from './rules/source-tree.ts';
import { sweepStrays } from './strays.ts';
import { freeUnmountedTrees } from './unmounted-trees.ts';

/*
 * The gate. `node test/gate.ts` runs the checks and the unit tests; `--all` the integration tests too; further words
 * pick integration files by a part of their name. `--handler runc` runs them with another default handler; without it
 * the whole run ends with those that are about runtimes once more, with runc, and the VM lane runs beside all of them;
 * of these, what failed is tried a second time, alone (`second-tries.ts`). Each step prints its name, its outcome and
 * its time; a step that fails prints why, and the next one runs all the same. The last line is `N passed, N failed`.
 */

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules/.bin');
const UNIT = [
  '{ground,native,cri,pod,image,network,cni,kubernetes,deploy}/**/*.test.ts',
  'test/*.test.ts',
  'test/vm/*.test.ts',
  'test/rules/*.test.ts',
  'test/kubelet/*.test.ts',
];
const MINUTE = 60_000;
const VM_LIMIT_MS = 45 * MINUTE;

const total: RunCounts = { passed: 0, failed: 0 };

const secondTries = new SecondTries();

/** Runs one step and prints its line. A failure with a way to try it `again` is not counted before that was tried. */
async function step(
  name: string,
  work: () => Promise<Outcome> | Outcome,
  again?: (first: Outcome) => (() => Promise<Outcome>) | undefined,
): Promise<Outcome> {
  const begun = performance.now();
  let outcome: Outcome;
  try {
    outcome = await work();
  } catch (error) {
    outcome = {
      passed: 0,
      failed: 1,
      output: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
  const second = outcome.failed > 0 ? again?.(outcome) : undefined;
  if (second !== undefined) secondTries.add(name.replace(/[:,].*$/, ''), outcome, second);
  else {
    total.passed += outcome.passed;
    total.failed += outcome.failed;
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const many =
    outcome.passed + outcome.failed === 1 ? '' : ` ${outcome.passed} passed, ${outcome.failed} failed,`;
  console.log(`${outcome.failed === 0 ? 'ok    ' : 'FAILED'} ${name}${many} ${seconds} s`);
  if (outcome.failed > 0 && outcome.output !== '')
    console.log(outcome.output.trimEnd().replace(/^/gm, '    '));
  return outcome;
}

interface ToolOptions {
  limitMs: number;
  /** Output goes straight to the terminal, and the counts come on file descriptor 3. */
  tests?: boolean;
  /** The output is wanted when all went well, too. */
  keepOutput?: boolean;
  env?: Record<string, string>;
}

/** Runs a program to its end, or kills its process group when it takes too long. */
function tool(path: string, argv: string[], options: ToolOptions): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const child = spawn(path, argv, {
    cwd: ROOT,
    detached: true,
    env: { ...process.env, ...options.env, BERTH_GATE: '1', PATH: `${BIN}:${process.env.PATH}` },
    stdio:
      options.tests === true
        ? ['ignore', 'inherit', 'inherit', 'pipe']
        : ['ignore', 'pipe', 'pipe', 'ignore'],
  });
  let output = '';
  let counts = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => (output += data.toString()));
  child.stdio[3]?.on('data', (data: Buffer) => (counts += data.toString()));
  let late = false;
  const end = (): void => signalGroup(child.pid, 'SIGKILL');
  const timer = setTimeout(() => {
    late = true;
    end();
  }, options.limitMs);
  running.add(child);
  child.on('error', (error) => (output += error.message));
  child.on('close', (code, signal) => {
    clearTimeout(timer);
    running.delete(child);
    if (late) output += `\ntook longer than ${options.limitMs / 1000} s and was killed`;
    else if (signal !== null) output += `\ndied of ${signal}`;
    const outcome = options.tests === true ? ofTests(code, counts, output) : ofCheck(code, output);
    resolve(options.keepOutput === true ? { ...outcome, output } : outcome);
  });
  return promise;
}

let stopping = false;
const running = new Set<ChildProcess>();

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // The group has ended meanwhile.
  }
}

/** Ctrl-C: the running test ends at once, and what it leaves is swept. */
function interrupted(): void {
  stopping = true;
  console.log('interrupted: cleaning up');
  for (const child of running) signalGroup(child.pid, 'SIGINT');
  total.failed++;
  setTimeout(() => {
    for (const child of running) signalGroup(child.pid, 'SIGKILL');
  }, 10_000).unref();
}

function ofCheck(code: number | null, output: string): Outcome {
  return code === 0 ? { passed: 1, failed: 0, output: '' } : { passed: 0, failed: 1, output };
}

function ofTests(code: number | null, counts: string, output: string): Outcome {
  if (counts === '')
    return { passed: 0, failed: 1, output: `${output}\nmocha ended with ${code} and gave no counts` };
  const { passed, failed } = JSON.parse(counts) as RunCounts;
  if (failed === 0 && code !== 0)
    return { passed, failed: 1, output: `${output}\nmocha ended with ${code} although no test failed` };
  if (passed + failed === 0) return { passed, failed: 1, output: 'no test ran' };
  return { passed, failed, output };
}

function mocha(files: string[], limitMs: number, flags: string[], handler = ''): Promise<Outcome> {
  const argv = ['--forbid-only', '--forbid-pending', ...flags, ...files];
  return tool(join(BIN, 'mocha'), argv, { limitMs, tests: true, env: { BERTH_TEST_HANDLER: handler } });
}

async function check(): Promise<void> {
  const node = process.execPath;
  await step('types', () => tool(join(BIN, 'tsc'), ['--noEmit'], { limitMs: 5 * MINUTE }));
  await step("types of the page's JavaScript", () =>
    tool(join(BIN, 'tsc'), ['--noEmit', '--project', 'cri/page/web'], { limitMs: 5 * MINUTE }),
  );
  await step('lint', () =>
    tool(join(BIN, 'oxlint'), ['--type-aware', '--deny-warnings'], { limitMs: 5 * MINUTE }),
  );
  await step('format', () => tool(join(BIN, 'oxfmt'), ['--check'], { limitMs: 5 * MINUTE }));
  const tree = SourceTree.fromDisk(ROOT);
  for (const rule of RULES)
    await step(rule.name, () => {
      const violations = rule.check(tree).map(({ path, line, message }) => `${path}:${line} ${message}`);
      return {
        passed: violations.length === 0 ? 1 : 0,
        failed: violations.length === 0 ? 0 : 1,
        output: violations.join('\n'),
      };
    });
  await step('the generated codec is up to date', () =>
    tool(node, ['cri/proto/generate.ts', '--check'], { limitMs: 5 * MINUTE }),
  );
  await step('the generated documents are up to date', () =>
    tool(node, ['cri/documents/generate.ts', '--check'], { limitMs: 5 * MINUTE }),
  );
  const units = globSync(UNIT, { cwd: ROOT }).sort();
  using _ = new HandedControllers();
  await step('unit tests:', () => mocha(units, 6 * MINUTE, ['--parallel', '--jobs', '2']));
}

/**
 * The suites that the second lane runs with another handler: what a runtime makes (processes, namespaces, mounts,
 * limits) and how its containers live and end. The others go through the handlers themselves (commands, security,
 * sandboxes), or test what no runtime has a part in (images, networks, lists, streams, the wire).
 */
const ABOUT_RUNTIMES = [
  'attach',
  'deaths',
  'events',
  'exit-codes',
  'first-pod',
  'fork-bomb',
  'hard-life',
  'mapped-volumes',
  'mounts',
  'namespaces',
  'out-of-memory',
  'recovery',
  'retries',
  'stats',
  'stops',
  'update-resources',
  'user-namespaces',
  'volumes',
];

function isAboutRuntimes(file: string): boolean {
  return ABOUT_RUNTIMES.includes(basename(file, '.test.ts'));
}

interface Lane {
  /** Parts of file names; none for all. */
  words: string[];
  /** The default handler of the nodes; the daemon's own choice when absent. */
  handler?: string;
  only?: (file: string) => boolean;
  /** What fails is run once more at the end. */
  twice?: boolean;
}

async function integration({ words, handler, only = () => true, twice = false }: Lane): Promise<void> {
  const files = globSync('test/integration/**/*.test.ts', { cwd: ROOT }).sort();
  const picked = files
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .filter(only);
  const lane = handler === undefined ? '' : ` with ${handler}`;
  if (picked.length === 0) {
    const output = `There are: ${files.join(', ')}`;
    await step(`an integration test is called like ${words.join(' or ')}`, () => ({
      passed: 0,
      failed: 1,
      output,
    }));
  }
  for (const [index, file] of picked.entries()) {
    if (stopping) return;
    console.log(`       ${file} (${index + 1} of ${picked.length})`);
    const run = (): Promise<Outcome> => mocha([file], 15 * MINUTE, ['--timeout', '120000'], handler);
    await step(`${file}${lane}:`, run, twice ? () => run : undefined);
    freeUnmountedTrees();
  }
}

/**
 * More than an equal share of busy processors, as for a nice value: the tests beside are dozens of sessions, each of which
 * has a share of its own (sched(7), autogroup), and the emulated machine is one.
 */
const VM_SHARE = -6;

/** The VM lane, beside the integration tests. */
async function vmLane(words: string[] = []): Promise<Outcome> {
  const begun = performance.now();
  // A kernel without such shares has no such file.
  const script = `echo ${VM_SHARE} 2>/dev/null >/proc/self/autogroup; exec "$0" "$@"`;
  const argv = ['-c', script, process.execPath, 'test/vm/lane.ts', ...words];
  const { failed, output } = await tool('sh', argv, { limitMs: VM_LIMIT_MS, keepOutput: true });
  console.log(`       the VM lane has ended after ${((performance.now() - begun) / 1000).toFixed(0)} s:`);
  for (const [line] of output.matchAll(/^\[ *[\d.]+ s\].*$/gm)) console.log(`         ${line}`);
  const counts = /^(\d+) passed, (\d+) failed\s*$/.exec(output.trimEnd().split('\n').at(-1)!);
  if (counts === null) return { passed: 0, failed: 1, output: `${output}\nthe lane gave no counts` };
  const [, passedInside, failedInside] = counts.map(Number);
  return { passed: passedInside!, failed: Math.max(failedInside!, failed), output };
}

/** The parts of the VM lane that failed, once more. When the lane itself failed there is nothing to try. */
function vmLaneAgain(first: Outcome): (() => Promise<Outcome>) | undefined {
  const failed = [...first.output.matchAll(/^\[ *[\d.]+ s\] FAILED (.*)$/gm)].map(([, name]) =>
    wordOf(name!),
  );
  if (failed.length === 0 || failed.includes(undefined)) return undefined;
  return () => vmLane([...new Set(failed as string[])]);
}

/** The lane's own word for a step of it. */
function wordOf(step: string): string | undefined {
  if (step.startsWith('boots with SELinux')) return 'selinux';
  return /^power\b|^\S+\.test\.ts/.exec(step)?.[0];
}

/** What failed beside other work, alone. */
async function tryAgain(): Promise<void> {
  const unstable = await secondTries.settle((name, work) => step(`${name}:`, work));
  for (const name of unstable) console.log(`UNSTABLE ${name}: failed beside other work, passed alone`);
}

async function main(): Promise<void> {
  const { values, positionals: words } = parseArgs({
    options: { all: { type: 'boolean', default: false }, handler: { type: 'string' } },
    allowPositionals: true,
  });
  const begun = performance.now();
  if (!existsSync(join(BIN, 'mocha'))) {
    console.error("The npm packages are missing: run 'npm ci' first");
    total.failed++;
  } else
    await run(words, values).catch((error: unknown) => {
      console.error(error);
      total.failed++;
    });
  if (stopping) await sweepStrays();
  console.log(`took ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 ? 0 : 1;
}

async function run(words: string[], { all, handler }: { all: boolean; handler?: string }): Promise<void> {
  freeUnmountedTrees();
  if (words.length === 0 && handler === undefined) await check();
  if (all) {
    const missing = missingNeeds();
    await step('this machine has what the integration tests need', () => ({
      passed: missing.length === 0 ? 1 : 0,
      failed: missing.length === 0 ? 0 : 1,
      output: missing.join('\n'),
    }));
    if (missing.length > 0) return;
    const strays = await sweepStrays();
    if (strays.length > 0) console.log(`       swept what a killed run had left: ${strays.join(', ')}`);
    const whole = words.length === 0 && handler === undefined;
    const machine = whole ? vmLane() : undefined;
    await integration({ words, twice: whole, ...(handler === undefined ? {} : { handler }) });
    if (whole) await integration({ words, twice: true, handler: 'runc', only: isAboutRuntimes });
    if (machine !== undefined) await step('the VM lane, which ran beside these:', () => machine, vmLaneAgain);
    if (!stopping) await tryAgain();
  }
}

process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
await main();
