import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ContainerState,
  eventually,
  readLog,
  runPod,
  shell,
  statusOf,
  waitForExit,
  wholeLines,
} from '../pods.ts';
import { bytesOf, textOf } from '../remote-command.ts';
import { useStreams } from '../use-streams.ts';

describe('attaching to a container', function () {
  this.timeout(60_000);
  const suite = useStreams();

  /** Speaks, each time that somebody makes the file, until it says so. */
  const SPEAKER = 'while :; do [ -e /go ] && rm /go && echo out && echo err >&2; sleep 0.05; done';
  const speak = (container: string): Promise<string> => shell(suite.node, container, 'touch /go');

  it('gives output and errors, to all who are there', async () => {
    const { container } = await runPod(suite.node, 'speaker', ['sh', '-c', SPEAKER]);
    const all = await Promise.all(Array.from({ length: 5 }, () => suite.streams.attach(container)));
    await sleep(100);
    await speak(container);
    for (const one of all) {
      assert.equal(await nextText(one.stdout!), 'out\n');
      assert.equal(await nextText(one.stderr!), 'err\n');
      one.client.destroy();
    }
    assert.equal((await statusOf(suite.node, container)).state, ContainerState.RUNNING);
  });

  it('ends with the container, after all of its output', async () => {
    const script = 'while ! [ -e /go ]; do sleep 0.05; done; seq 1 200000; exit 4';
    const { container } = await runPod(suite.node, 'ends', ['sh', '-c', script]);
    const attached = await suite.streams.attach(container);
    const output = bytesOf(attached.stdout);
    await sleep(100);
    await speak(container);
    assert.equal((await output).toString().trimEnd().split('\n').at(-1), '200000');
    assert.equal((await output).length, 1_288_895);
    await attached.errorText;
    assert.equal((await waitForExit(suite.node, container)).exitCode, 4);
  });

  it('leaves the input open for the next one, unless the container said once', async () => {
    const keep = await runPod(suite.node, 'keep', ['cat'], { container: { stdin: true } });
    for (const line of ['one\n', 'two\n']) {
      const attached = await suite.streams.attach(keep.container, { stdin: true });
      attached.stdin!.write(line);
      assert.equal(await nextText(attached.stdout!), line);
      attached.stdin!.end();
      await sleep(100);
      attached.client.destroy();
      await sleep(100);
    }
    assert.equal((await statusOf(suite.node, keep.container)).state, ContainerState.RUNNING);

    const once = await runPod(suite.node, 'once', ['cat'], { container: { stdin: true, stdinOnce: true } });
    // One who only looks is not the first.
    const looker = await suite.streams.attach(once.container);
    await sleep(100);
    looker.client.destroy();
    const first = await suite.streams.attach(once.container, { stdin: true });
    first.stdin!.write('last words');
    first.stdin!.end();
    assert.equal(await textOf(first.stdout!), 'last words');
    assert.equal((await waitForExit(suite.node, once.container)).exitCode, 0);
  });

  it('closes the input when the first one leaves without a word', async () => {
    const once = await runPod(suite.node, 'leaves', ['cat'], { container: { stdin: true, stdinOnce: true } });
    const first = await suite.streams.attach(once.container, { stdin: true });
    first.stdin!.write('x\n');
    assert.equal(await nextText(first.stdout!), 'x\n');
    first.client.destroy();
    assert.equal((await waitForExit(suite.node, once.container)).exitCode, 0);
  });

  it('carries much input whole', async () => {
    const { container } = await runPod(suite.node, 'much', ['sh', '-c', 'wc -c; sleep 0.2'], {
      container: { stdin: true, stdinOnce: true },
    });
    const attached = await suite.streams.attach(container, { stdin: true });
    for (let i = 0; i < 640; i++)
      if (!attached.stdin!.write(Buffer.alloc(65_536, i)))
        await new Promise((resolve) => attached.stdin!.once('drain', resolve));
    attached.stdin!.end();
    assert.equal((await textOf(attached.stdout!)).trim(), String(640 * 65_536));
  });

  it('reaches a terminal', async () => {
    const { container } = await runPod(suite.node, 'terminal', ['sh'], {
      container: { stdin: true, tty: true },
    });
    const attached = await suite.streams.attach(container, { stdin: true, tty: true });
    attached.resize(100, 30);
    await sleep(200);
    attached.stdin!.write('stty size; tty; exit 4\n');
    assert.match(await textOf(attached.stdout!), /30 100\r\n\/dev\/pts\/0\r\n/);
    assert.equal((await waitForExit(suite.node, container)).exitCode, 4);
  });

  it('works for a container without input', async () => {
    const { container } = await runPod(suite.node, 'deaf', ['sh', '-c', SPEAKER]);
    const attached = await suite.streams.attach(container, { stdin: true });
    attached.stdin!.write('nobody reads this');
    await sleep(100);
    await speak(container);
    assert.equal(await nextText(attached.stdout!), 'out\n');
    attached.client.destroy();
  });

  it('is refused where nothing runs', async () => {
    const { container } = await runPod(suite.node, 'ended', ['true']);
    await waitForExit(suite.node, container);
    await assert.rejects(suite.streams.attach(container), /exited|not running/);
  });

  it('drops a reader that stands still, and holds up neither the container nor its log', async () => {
    const script = 'while ! [ -e /go ]; do sleep 0.05; done; seq 1 2000000; echo done; sleep 100000';
    const { container, pod, config } = await runPod(suite.node, 'slow', ['sh', '-c', script]);
    const log = join(pod.logDirectory!, config.logPath!);
    const still = await suite.streams.attach(container);
    still.stdout!.pause();
    const quick = await suite.streams.attach(container);
    const seen = sizeUntil(quick.stdout!, 'done\n');
    await sleep(100);
    await speak(container);
    assert.equal(await seen, 14_888_896 + 5);
    await eventually('the log has it all', 20_000, () => {
      const lines = wholeLines(readLog(log));
      return lines.at(-1) === 'done' ? assert.equal(lines.length, 2_000_001) : undefined;
    }).catch(() => assert.equal(wholeLines(readLog(log)).length, 2_000_001));
    // What it missed it is told.
    assert.match(await textOf(still.stdout!), /too slow for the output/);
    quick.client.destroy();
    const begun = performance.now();
    await suite.node.client.call('StopContainer', { containerId: container, timeout: 0 });
    assert.ok(performance.now() - begun < 5000);
  });

  it('works again after the daemon was killed or stopped', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'again', ['cat'], { container: { stdin: true } });
    const first = await suite.streams.attach(container, { stdin: true });
    first.stdin!.write('first\n');
    assert.equal(await nextText(first.stdout!), 'first\n');
    for (const end of ['kill9', 'stop'] as const) {
      await node[end]();
      await node.start();
      const attached = await suite.streams.attach(container, { stdin: true });
      await sleep(100);
      attached.stdin!.write(`after ${end}\n`);
      assert.equal(await nextText(attached.stdout!), `after ${end}\n`);
      if (end === 'stop') attached.client.destroy();
    }
    assert.equal((await statusOf(node, container)).state, ContainerState.RUNNING);
  });
});

/** What comes next. */
async function nextText(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    stream.once('data', (chunk: Buffer) => {
      stream.pause();
      resolve(chunk.toString());
    });
    stream.once('end', () => reject(new Error('It has ended')));
  });
}

/** Bytes until these were the last. */
function sizeUntil(stream: NodeJS.ReadableStream, last: string): Promise<number> {
  return new Promise((resolve) => {
    let size = 0;
    let tail = '';
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      tail = (tail + chunk.subarray(-last.length).toString('latin1')).slice(-last.length);
      if (tail === last) resolve(size);
    });
  });
}
