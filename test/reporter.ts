import { fstatSync, writeSync } from 'node:fs';
import { relative } from 'node:path';
import { inspect } from 'node:util';
import type { Runner, Test } from 'mocha';

/** What one mocha run came to, as the gate reads it from file descriptor 3. */
export interface RunCounts {
  passed: number;
  failed: number;
}

/**
 * Mocha's reporter for this repository: one line a test file while it runs, each failure in full at once, and the
 * counts for the gate on file descriptor 3 when that is a pipe. A pending test counts as failed: nothing is skipped.
 */
export default class Reporter {
  readonly #counts: RunCounts = { passed: 0, failed: 0 };
  readonly #files = new Map<string, { passed: number; failed: number; ms: number }>();
  readonly #verbose = process.env.BERTH_TEST_VERBOSE === '1';

  constructor(runner: Runner) {
    let current = '';
    const turnTo = (file: string): void => {
      if (file === current) return;
      this.#printFile(current);
      current = file;
    };
    runner.on('pass', (test: Test) => {
      turnTo(fileOf(test));
      this.#count(test, true);
      if (this.#verbose) console.log(`    ok ${test.titlePath().join(' > ')} (${test.duration ?? 0} ms)`);
    });
    runner.on('pending', (test: Test) => {
      turnTo(fileOf(test));
      this.#count(test, false);
      console.log(`    FAILED ${test.titlePath().join(' > ')}: it is skipped, and nothing may be`);
    });
    runner.on('fail', (test: Test, error: unknown) => {
      turnTo(fileOf(test));
      this.#count(test, false);
      console.log(`    FAILED ${test.titlePath().join(' > ')}\n${indent(describeError(error))}`);
    });
    runner.on('end', () => {
      turnTo('');
      handOver(this.#counts);
    });
  }

  #count(test: Test, passed: boolean): void {
    const entry = this.#files.get(fileOf(test)) ?? { passed: 0, failed: 0, ms: 0 };
    entry.ms += test.duration ?? 0;
    for (const counts of [entry, this.#counts]) counts[passed ? 'passed' : 'failed']++;
    this.#files.set(fileOf(test), entry);
  }

  #printFile(file: string): void {
    const entry = this.#files.get(file);
    if (entry === undefined) return;
    const failed = entry.failed === 0 ? '' : `, ${entry.failed} FAILED`;
    console.log(`    ${file}: ${entry.passed} passed${failed} (${(entry.ms / 1000).toFixed(1)} s)`);
  }
}

function fileOf(test: Test): string {
  return test.file === undefined ? 'unknown file' : relative(process.cwd(), test.file);
}

/** The text of an error; mocha's parallel workers hand over plain objects with the same fields. */
function describeError(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return inspect(error);
  const { message, stack = '', cause } = error as { message: string; stack?: string; cause?: unknown };
  const own = stack.includes(message) ? stack : `${message}\n${stack}`;
  const lines = own.split('\n').filter((line) => !/^\s+at .*(node:internal|node_modules)/.test(line));
  const text = lines.join('\n').trimEnd();
  return cause === undefined ? text : `${text}\ncaused by ${describeError(cause)}`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '        ');
}

function handOver(counts: RunCounts): void {
  if (process.env.BERTH_GATE === undefined) {
    console.log(`    ${counts.passed} passed, ${counts.failed} failed`);
    return;
  }
  if (fstatSync(3).isFIFO() || fstatSync(3).isSocket()) writeSync(3, JSON.stringify(counts));
}
