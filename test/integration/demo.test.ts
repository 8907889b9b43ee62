import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupHierarchies } from '../node-space.ts';

const BERTH = join(import.meta.dirname, '../../bin/berth');

/** Everything by which a demo could be remembered. */
function traces(): string[] {
  const places = ['/tmp', ...cgroupHierarchies()];
  return places.flatMap((place) => readdirSync(place).filter((name) => name.startsWith('berth-demo-')));
}

/** Runs the demo; `watch` is called with what it has written so far. */
async function runDemo(watch?: (text: string, interrupt: () => void) => void) {
  const demo = spawn(BERTH, ['demo'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: '/tmp' },
  });
  let [text, complaint] = ['', ''];
  demo.stdout.on('data', (part: Buffer) => {
    text += part.toString();
    watch?.(text, () => demo.kill('SIGINT'));
  });
  demo.stderr.on('data', (part: Buffer) => (complaint += part.toString()));
  const code = await new Promise((resolve) => demo.once('close', resolve));
  return { code, text, complaint };
}

describe('berth demo', () => {
  it('shows two pods and leaves nothing behind', async () => {
    const before = traces();
    const { code, text, complaint } = await runDemo();
    assert.equal(code, 0, `${text}\n${complaint}`);
    assert.match(text, /^ {2}server +10\.85\.0\.\d+ +runs after [\d.]+ ms$/m);
    assert.match(text, /^ {2}RunPodSandbox +reserve +[\d.]+ ms [▏▎▍▌▋▊▉█]+$/m);
    assert.match(text, /answer +HTTP\/1\.1 200 OK/);
    assert.match(text, /log +\S+ stdout F ready$/m);
    assert.match(text, /cgroups( +\d+){3} {2}as before$/m);
    assert.ok(!text.includes('\u001b'), 'colours without a terminal');
    assert.deepEqual(traces(), before);
  });

  it('cleans up when it is interrupted while pods run', async () => {
    const before = traces();
    const { code, complaint } = await runDemo((text, interrupt) => {
      if (text.includes('asks the server')) interrupt();
    });
    assert.equal(code, 1);
    assert.match(complaint, /The demo was ended by SIGINT/);
    assert.deepEqual(traces(), before);
  });
});
