import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const REPOSITORY = join(import.meta.dirname, '..');

/** Runs mocha on a made-up test file as the gate does; resolves with the counts and the output. */
async function report(text: string, ...flags: string[]): Promise<{ counts: string; output: string }> {
  const directory = mkdtempSync('/tmp/berth-reporter-');
  try {
    const file = join(directory, 'made-up.test.ts');
    writeFileSync(file, text);
    const child = spawn(
      join(REPOSITORY, 'node_modules/.bin/mocha'),
      ['--forbid-only', '--forbid-pending', ...flags, file],
      {
        cwd: REPOSITORY,
        env: { ...process.env, BERTH_GATE: '1' },
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      },
    );
    let output = '';
    let counts = '';
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (data: Buffer) => (output += data.toString()));
    child.stdio[3]!.on('data', (data: Buffer) => (counts += data.toString()));
    await once(child, 'close');
    return { counts, output };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('the reporter', () => {
  it('counts what passed and what failed, alone and in parallel', async () => {
    const text =
      "describe('s', () => { it('a', () => {}); it('b', () => {}); it('c', () => { throw new Error('broken'); }); });";
    for (const flags of [[], ['--parallel', '--jobs', '2']]) {
      const { counts, output } = await report(text, ...flags);
      assert.deepEqual(JSON.parse(counts), { passed: 2, failed: 1 });
      assert.match(output, /FAILED s > c\n\s+Error: broken/);
    }
  });
  it('counts a skipped test as failed', async () => {
    const { counts } = await report("it('a', () => {}); it.skip('b', () => {});");
    assert.deepEqual(JSON.parse(counts), { passed: 1, failed: 1 });
  });
  it('counts a broken hook as failed', async () => {
    const { counts } = await report(
      "describe('s', () => { before(() => { throw new Error('no'); }); it('a', () => {}); });",
    );
    assert.deepEqual(JSON.parse(counts), { passed: 0, failed: 1 });
  });
});
