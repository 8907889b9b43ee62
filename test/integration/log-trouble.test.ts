import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestNode } from '../node.ts';
import { ContainerState, eventually, readLog, runPod, shell, statusOf } from '../pods.ts';
import { useNode } from '../use-node.ts';

const CAP = 65_536;
/** Numbered lines, some hundred a second. */
const COUNT = 'i=0; while :; do echo line $i; i=$((i+1)); usleep 2000; done';

async function noteOf(node: TestNode, containerId: string, key: string): Promise<unknown> {
  const { info } = await node.client.call('ContainerStatus', { containerId, verbose: true });
  return JSON.parse(info[key]!);
}

/** The highest number in a log that whole lines of the counter have. */
function lastNumber(log: string): number {
  const numbers = [...readFileSync(log, 'latin1').matchAll(/stdout F line (\d+)\n/g)].map(([, n]) =>
    Number(n),
  );
  return Math.max(-1, ...numbers);
}

describe('a disk that takes no more log', () => {
  const suite = useNode();

  it('holds no container up, and its log goes on when there is room again', async () => {
    const { node } = suite;
    await node.exec(['mount', '-t', 'tmpfs', '-o', 'size=1m,mode=755', 'small', node.logs]);
    const outside = (path: string): string => join(`/proc/${node.holder}/root`, path);
    try {
      const command = ['sh', '-c', `${COUNT.replace('echo', 'echo $i > /tmp/at; echo')}`];
      const { container } = await runPod(node, 'full', command, {
        pod: { logDirectory: join(node.logs, 'pod') },
        container: { logPath: '0.log' },
      });
      const log = outside((await statusOf(node, container)).logPath);
      await eventually('it logs', 5000, () => lastNumber(log) > 10 || undefined);
      const ballast = join(outside(node.logs), 'ballast');
      fill(ballast);
      const at = async (): Promise<number> => Number(await shell(node, container, 'cat /tmp/at'));
      await eventually('nothing more is written', 10_000, async () => {
        const { size } = statSync(log);
        await sleep(500);
        return statSync(log).size === size || undefined;
      });
      const stuck = lastNumber(log);
      const then = await at();
      await eventually(
        'the container goes on writing',
        10_000,
        async () => (await at()) > then + 200 || undefined,
      );
      assert.equal(lastNumber(log), stuck);
      assert.equal((await statusOf(node, container)).state, ContainerState.RUNNING);
      rmSync(ballast);
      const resumed = await at();
      await eventually('the log goes on', 10_000, () => lastNumber(log) > resumed || undefined);
      // What could not be written is lost, and nothing else.
      const lines = readFileSync(log, 'latin1').split('\n').slice(0, -1);
      assert.ok(lines.filter((line) => !/^\S+ stdout F line \d+$/.test(line)).length <= 2);
      await node.client.call('StopContainer', { containerId: container, timeout: 0n });
      assert.equal((await statusOf(node, container)).exitCode, 137);
    } finally {
      await node.exec(['umount', '--lazy', node.logs]);
    }
  });
});

describe('a log with a cap', () => {
  const suite = useNode({ config: { runtime: { max_log_bytes: CAP } } });

  it('is cut when it is larger, and the daemon says what was dropped', async () => {
    const { node } = suite;
    const noisy = 'while ! [ -e /tmp/end ]; do seq 1 200; usleep 20000; done; echo the end; sleep 1000';
    const { container } = await runPod(node, 'noisy', ['sh', '-c', noisy]);
    const quiet = await runPod(node, 'quiet', ['sh', '-c', 'echo once; sleep 1000']);
    const { logPath } = await statusOf(node, container);
    const cuts = await eventually('it was cut three times', 30_000, async () => {
      const said = Number(await noteOf(node, container, 'logCuts'));
      return said >= 3 ? said : undefined;
    });
    assert.match(node.log, /a log has come to its cap/);
    assert.equal(await noteOf(node, quiet.container, 'logCuts'), 0);
    assert.deepEqual(
      readLog((await statusOf(node, quiet.container)).logPath).map(({ content }) => content),
      ['once'],
    );
    await shell(node, container, 'touch /tmp/end');
    await eventually('it is small in the end', 10_000, () => statSync(logPath).size <= CAP || undefined);
    const { info } = await node.client.call('Status', { verbose: true });
    assert.ok((JSON.parse(info['census']!) as { logCuts: number }).logCuts >= cuts);
  });

  it('has all of the lines of files that are rotated before they come to it', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'tidy', ['sleep', '1000']);
    const { logPath } = await statusOf(node, container);
    const files: string[] = [];
    for (let n = 0; n < 5; n++) {
      await shell(node, container, `for i in $(seq 1 600); do echo ${n} $i; done > /proc/1/fd/1`);
      await eventually('all is written', 10_000, () => readLog(logPath).length === 600 || undefined);
      const file = `${logPath}.${n}`;
      await node.exec(['mv', logPath, file]);
      await node.client.call('ReopenContainerLog', { containerId: container });
      files.push(file);
    }
    assert.ok(statSync(files[0]!).size * 5 > CAP);
    for (const [n, file] of files.entries())
      assert.deepEqual(
        readLog(file).map(({ content }) => content),
        Array.from({ length: 600 }, (_, i) => `${n} ${i + 1}`),
      );
    assert.equal(await noteOf(node, container, 'logCuts'), 0);
  });

  it('is rotated as any other, which is no cut; also by a daemon that came later', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'rotated', ['sh', '-c', COUNT]);
    const { logPath } = await statusOf(node, container);
    const rotate = async (name: string): Promise<void> => {
      await node.exec(['mv', logPath, join(dirname(logPath), `${basename(logPath)}.${name}`)]);
      await node.client.call('ReopenContainerLog', { containerId: container });
      assert.ok(statSync(logPath).isFile());
    };
    for (const name of ['1', '2']) await rotate(name);
    await node.kill9();
    await node.start();
    await rotate('3');
    assert.equal(await noteOf(node, container, 'logCuts'), 0);
    await shell(node, container, 'seq 1 20000 > /proc/1/fd/1');
    await eventually('it was cut', 10_000, async () =>
      Number(await noteOf(node, container, 'logCuts')) > 0 ? true : undefined,
    );
    await eventually('it is small again', 5000, () => statSync(logPath).size <= CAP || undefined);
  });
});

/** Takes every byte that is left of a file system. */
function fill(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, 'a');
  try {
    for (const piece of [Buffer.alloc(4096), Buffer.alloc(1)]) {
      try {
        for (;;) writeSync(fd, piece);
      } catch (error) {
        assert.match(String(error), /ENOSPC/);
      }
    }
  } finally {
    closeSync(fd);
  }
}
