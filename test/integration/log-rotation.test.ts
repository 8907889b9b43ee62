import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { loggedStreams } from '../log-records.ts';
import { pendingBytes } from '../../native/fd.ts';
import { monitorOf } from '../container-process.ts';
import type { TestNode } from '../node.ts';
import { ContainerState, eventually, readLog, runPod, shell, statusOf, waitForExit } from '../pods.ts';
import { useNode } from '../use-node.ts';

/** Numbered lines on both streams until /tmp/end is there, some ten thousand each 50 ms; then the last number. */
const COUNT = `
count() {
  i=1
  while ! [ -e /tmp/end ]; do seq $i $((i + 4999)); i=$((i + 5000)); sleep 0.05; done
  echo end $((i - 1))
}
count & count >&2; wait`;

const ROTATOR = join(import.meta.dirname, '../log-rotator.ts');
const LIVES = 6;

function startRotator(node: TestNode, container: string, log: string): ChildProcess {
  return spawn(process.execPath, [ROTATOR, node.socket, container, log], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function rotations(rotator: ChildProcess, many: number): Promise<void> {
  let seen = 0;
  for await (const line of createInterface({ input: rotator.stdout! }))
    if (line === 'rotated' && ++seen === many) return;
  throw new Error('The rotator ended by itself');
}

async function killed(rotator: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => rotator.once('exit', resolve));
  rotator.kill('SIGKILL');
  await gone;
}

/** Every file of a log, oldest first: rotated ones have the time of their rotation behind their name. */
function logFiles(log: string): string[] {
  const rotated = readdirSync(dirname(log))
    .filter((name) => name.startsWith(`${basename(log)}.`))
    .map((name) => join(dirname(log), name))
    .toSorted((a, b) => rotatedAt(a) - rotatedAt(b));
  return existsSync(log) ? [...rotated, log] : rotated;
}

function rotatedAt(file: string): number {
  const at = Number(file.slice(file.lastIndexOf('.') + 1));
  if (Number.isNaN(at)) throw new Error(`${file} is no file that the rotator made`);
  return at;
}

/** Throws unless the text counts from 1 to the number that its last line names. */
function assertCounts(stream: string, text: Buffer): number {
  const lines = text.toString('latin1').split('\n');
  assert.equal(lines.pop(), '', `${stream} ends with a whole line`);
  const last = Number(/^end (\d+)$/.exec(lines.pop() ?? '')?.[1]);
  const wrong = lines.findIndex((line, index) => line !== String(index + 1));
  if (wrong >= 0) assert.fail(`${stream}: line ${wrong + 1} of ${last} is ${JSON.stringify(lines[wrong])}`);
  assert.equal(lines.length, last, `${stream} ends with its last line`);
  return last;
}

describe('log rotation', () => {
  const suite = useNode();

  it('loses no line and doubles none, whoever is killed meanwhile', async function () {
    this.timeout(90_000);
    const { node } = suite;
    const { container } = await runPod(node, 'counts', ['sh', '-c', COUNT]);
    const { logPath } = await statusOf(node, container);
    for (let life = 0; life < LIVES; life++) {
      const rotator = startRotator(node, container, logPath);
      try {
        await rotations(rotator, 6);
        await sleep(Math.random() * 60);
        if (life % 3 === 2) await node.kill9();
      } finally {
        await killed(rotator);
      }
      if (!node.running) await node.start();
    }
    await shell(node, container, 'touch /tmp/end');
    await waitForExit(node, container);
    const files = logFiles(logPath);
    assert.ok(files.length > LIVES * 6, `${files.length} files`);
    const { stdout, stderr } = loggedStreams(files);
    assert.ok(assertCounts('stdout', stdout) > 10_000);
    assert.ok(assertCounts('stderr', stderr) > 10_000);
  });

  it('told twice, or with nothing renamed, throws nothing away', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'twice', ['sh', '-c', 'echo one; sleep 1000']);
    const { logPath } = await statusOf(node, container);
    await eventually('the line is there', 5000, () => readLog(logPath).length === 1 || undefined);
    await Promise.all(
      [1, 2, 3].map(() => node.client.call('ReopenContainerLog', { containerId: container })),
    );
    assert.deepEqual(
      readLog(logPath).map(({ content }) => content),
      ['one'],
    );
    // A caller that gave up, and put back what it had renamed over the file that was made after all.
    renameSync(logPath, `${logPath}.1`);
    await node.client.call('ReopenContainerLog', { containerId: container });
    renameSync(`${logPath}.1`, logPath);
    await node.client.call('ReopenContainerLog', { containerId: container });
    const files = readdirSync(dirname(logPath)).map((name) => join(dirname(logPath), name));
    assert.deepEqual(
      files.flatMap((file) => readLog(file).map(({ content }) => content)),
      ['one'],
    );
  });

  it('works while the container is being stopped', async () => {
    const { node } = suite;
    const script = `trap 'while :; do echo more; sleep 0.05; done' TERM; echo ready; while :; do sleep 0.05; done`;
    const { container } = await runPod(node, 'stopping', ['sh', '-c', script]);
    const { logPath } = await statusOf(node, container);
    await eventually('it is ready', 5000, () => readLog(logPath).length === 1 || undefined);
    const stop = node.client.call('StopContainer', { containerId: container, timeout: 600 });
    await eventually('it was told to stop', 5000, () => readLog(logPath).length > 2 || undefined);
    renameSync(logPath, `${logPath}.1`);
    await node.client.call('ReopenContainerLog', { containerId: container });
    await eventually('it goes on in the new file', 5000, () => readLog(logPath).length > 2 || undefined);
    assert.equal((await statusOf(node, container)).state, ContainerState.RUNNING);
    await node.client.call('StopContainer', { containerId: container, timeout: 0 });
    await stop;
  });

  it('leaves no new file when it fails, neither then nor later', async () => {
    const { node } = suite;
    const script = 'while :; do echo line; sleep 0.05; done';
    const { container } = await runPod(node, 'fails', ['sh', '-c', script]);
    const { logPath } = await statusOf(node, container);
    const reopen = (deadlineMs?: number): Promise<unknown> =>
      node.client.call(
        'ReopenContainerLog',
        { containerId: container },
        { deadlineMs: deadlineMs ?? 20_000 },
      );
    const monitor = monitorOf(node, container);

    // A monitor that does not listen.
    process.kill(monitor, 'SIGSTOP');
    try {
      renameSync(logPath, `${logPath}.1`);
      await assert.rejects(reopen(300), { code: 'DEADLINE_EXCEEDED' });
      const control = openSync(join(node.state, 'containers', container, 'ctl'), 'r+');
      try {
        await eventually('the word is taken back', 5000, () => pendingBytes(control) === 0 || undefined);
      } finally {
        closeSync(control);
      }
    } finally {
      process.kill(monitor, 'SIGCONT');
    }
    const { size } = statSync(`${logPath}.1`);
    await eventually(
      'it goes on in the old file',
      5000,
      () => statSync(`${logPath}.1`).size > size || undefined,
    );
    assert.ok(!existsSync(logPath), 'no new file came later');

    // A place where no file can be made: the monitor must not even try, it would end.
    const away = `${dirname(logPath)}-away`;
    renameSync(dirname(logPath), away);
    writeFileSync(dirname(logPath), '');
    await assert.rejects(reopen(), { code: 'FAILED_PRECONDITION', details: /No log file can be made/ });
    rmSync(dirname(logPath));
    await assert.rejects(reopen(), { code: 'FAILED_PRECONDITION', details: /No log file can be made/ });
    renameSync(away, dirname(logPath));
    assert.deepEqual(readdirSync(dirname(logPath)), [basename(`${logPath}.1`)]);

    await reopen();
    await eventually('it goes on in the new file', 5000, () => readLog(logPath).length > 0 || undefined);
    await node.client.call('StopContainer', { containerId: container, timeout: 0 });
    renameSync(logPath, `${logPath}.2`);
    await assert.rejects(reopen(), { code: 'FAILED_PRECONDITION', details: /it has ended/ });
    assert.ok(!existsSync(logPath));
  });
});
