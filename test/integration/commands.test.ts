import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { initOf, monitorOf } from '../container-process.ts';
import { eventually, runPod, shell, waitForExit } from '../pods.ts';
import { bytesOf, RemoteCommand, textOf } from '../remote-command.ts';
import { useStreams } from '../use-streams.ts';

const FOREVER = ['sleep', '100000'];
/** The ways into a container, by handler: joining it in process, and the runtimes' own exec. */
const WAYS = ['crun', 'runc', 'crun-oci', 'runc-oci'] as const;

describe('commands with streams', function () {
  this.timeout(60_000);
  const suite = useStreams({
    config: {
      runtime: {
        handlers: { 'crun-oci': { path: 'crun', exec: 'oci' }, 'runc-oci': { path: 'runc', exec: 'oci' } },
      },
    },
  });

  const start = async (handler: string, command = FOREVER): Promise<string> =>
    (await runPod(suite.node, 'commands', command, { handler })).container;
  /** Command lines inside, but for the container's own and those of the one who looks. */
  const others = async (container: string): Promise<string[]> => {
    const look = 'for i in /proc/[0-9]*; do tr "\\0" " " <$i/cmdline; echo; done';
    const lines = (await shell(suite.node, container, look)).split('\n').map((line) => line.trim());
    // Who looks has a supervisor, when it was not the runtime that took it in.
    const own = lines.indexOf('berth-exec');
    if (own >= 0) lines.splice(own, 1);
    return lines.filter((line) => line !== '' && !line.startsWith('sh -c for') && line !== FOREVER.join(' '));
  };

  for (const way of WAYS)
    describe(`in a pod of the handler ${way}`, () => {
      it('have output, errors and an exit code', async () => {
        const container = await start(way);
        const command = await suite.streams.exec(container, ['sh', '-c', 'echo out; echo err >&2; exit 7']);
        const [stdout, stderr, code] = await Promise.all([
          textOf(command.stdout!),
          textOf(command.stderr!),
          command.exitCode(),
        ]);
        assert.deepEqual([stdout, stderr, code], ['out\n', 'err\n', 7]);
        const killed = await suite.streams.exec(container, ['sh', '-c', 'kill -9 $$']);
        assert.equal(await killed.exitCode(), 137);
      });

      it('read to the end of their input', async () => {
        const container = await start(way);
        const command = await suite.streams.exec(container, ['cat'], { stdin: true });
        command.stdin!.write('hello ');
        command.stdin!.end('world');
        assert.equal(await textOf(command.stdout!), 'hello world');
        assert.equal(await command.exitCode(), 0);
      });

      it('say why they cannot run', async () => {
        const container = await start(way);
        const missing = await (await suite.streams.exec(container, ['nosuch'])).status();
        assert.equal(missing.status, 'Failure');
        assert.match(missing.message!, /nosuch.*not found/);
        assert.equal(
          (await (await suite.streams.exec(container, ['/etc/passwd'])).status()).status,
          'Failure',
        );
      });

      it('say that their container has ended before anybody else has said it', async () => {
        const container = await start(way);
        const monitor = monitorOf(suite.node, container);
        // Who does not take the end note of it.
        process.kill(monitor, 'SIGSTOP');
        try {
          process.kill(initOf(container), 'SIGKILL');
          const { status, message } = await (await suite.streams.exec(container, ['true'])).status();
          assert.equal(status, 'Failure');
          assert.match(message!, /ended before the command could begin/);
        } finally {
          process.kill(monitor, 'SIGCONT');
        }
        await waitForExit(suite.node, container);
      });

      it('have a terminal of the container, whose size follows', async () => {
        const container = await start(way);
        const script =
          'tty; until stty size 2>/dev/null | grep -qx "45 123"; do sleep 0.1; done; trap "stty size" WINCH; stty size; until [ "$x" = b ]; do read x; done; echo "got $x"';
        const command = await suite.streams.exec(container, ['sh', '-c', script], { tty: true, stdin: true });
        command.resize(123, 45);
        const text = textOf(command.stdout!);
        let seen = '';
        command.stdout!.on('data', (data: Buffer) => (seen += data.toString()));
        const says = (line: string): Promise<boolean> =>
          eventually(`it says ${line}`, 20_000, () => (seen.includes(`${line}\r\n`) ? true : undefined));
        await says('45 123');
        command.resize(10, 20);
        await says('20 10');
        command.stdin!.write('a\nb\n');
        const output = await text;
        assert.match(output, /^\/dev\/pts\/0\r\n45 123\r\n/);
        assert.match(output, /20 10\r\n/);
        assert.match(output, /got b\r\n$/);
        assert.equal(await command.exitCode(), 0);
      });

      it('hear what is typed at their terminal', async () => {
        const container = await start(way);
        const command = await suite.streams.exec(container, ['sleep', '200'], { tty: true, stdin: true });
        command.stdin!.write('\x03');
        assert.equal(await textOf(command.stdout!), '^C');
        assert.equal(await command.exitCode(), 130);
      });

      it('end with all that came from them when their caller leaves', async () => {
        const container = await start(way);
        const script = '(sleep 301 & exit 0); sleep 302 & sleep 303';
        const command = await suite.streams.exec(container, ['sh', '-c', script], { stdin: true });
        await eventually('it runs', 20_000, async () =>
          (await others(container)).filter((line) => line.startsWith('sleep')).length === 3
            ? true
            : undefined,
        );
        command.client.destroy();
        await eventually('nothing of it is left', 20_000, async () =>
          (await others(container)).length === 0 ? true : undefined,
        );
      });
    });

  it('give what their terminal holds, though they end first and the reader is slow', async () => {
    const container = await start('crun');
    const command = await suite.streams.exec(container, ['seq', '1', '30000'], { tty: true });
    let size = 0;
    for await (const chunk of command.stdout as AsyncIterable<Buffer>) {
      size += chunk.length;
      await sleep(2);
    }
    assert.equal(size, 198_894);
  });

  it('are waited for, not their children that hold the output', async () => {
    const container = await start('crun');
    const begun = performance.now();
    const command = await suite.streams.exec(container, ['sh', '-c', 'echo hi; sleep 304 & exit 3']);
    assert.equal(await textOf(command.stdout!), 'hi\n');
    assert.equal(await command.exitCode(), 3);
    assert.ok(performance.now() - begun < 5000);
    assert.ok((await others(container)).includes('sleep 304'), 'the child lives');
    const chatty = 'while sleep 0.05; do echo still here; done';
    const second = await suite.streams.exec(container, ['sh', '-c', `(${chatty}) & echo begun`]);
    assert.match(await textOf(second.stdout!), /^begun\n/);
    await sleep(300);
    assert.ok((await others(container)).some((line) => line.includes('sleep 0.05') || line.includes(chatty)));
  });

  it('wait while nobody reads what they write', async () => {
    const container = await start('crun');
    const command = await suite.streams.exec(container, ['sh', '-c', 'yes & echo $! >/pid; wait'], {
      stdin: true,
    });
    const written = async (): Promise<number> => {
      const io = await shell(suite.node, container, 'cat /proc/$(cat /pid)/io 2>/dev/null || true');
      return Number(/wchar: (\d+)/.exec(io)?.[1] ?? 0);
    };
    command.stdout!.pause();
    let before = -1;
    await eventually('the writer stands still', 10_000, async () => {
      const now = await written();
      const still = now === before && now > 0;
      before = now;
      if (!still) await sleep(300);
      return still ? true : undefined;
    });
    assert.ok(before < 64 * 1024 * 1024, `${before} bytes are on their way`);
    command.client.destroy();
  });

  it('do not grow the daemon, however much they write', async () => {
    const container = await start('crun');
    const memory = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${suite.node.pid}/status`, 'utf8'))![1]) / 1024;
    const before = memory();
    let peak = 0;
    const watching = setInterval(() => (peak = Math.max(peak, memory())), 20);
    try {
      const command = await suite.streams.exec(container, ['sh', '-c', 'yes | head -c 524288000; exit 5']);
      let size = 0;
      for await (const chunk of command.stdout as AsyncIterable<Buffer>) size += chunk.length;
      assert.equal(size, 524_288_000);
      assert.equal(await command.exitCode(), 5);
    } finally {
      clearInterval(watching);
    }
    assert.ok(peak - before < 64, `grew from ${before} to ${peak} MiB`);
  });

  it('end with their container', async () => {
    for (const options of [{}, { tty: true, stdin: true }]) {
      const container = await start('crun');
      const command = await suite.streams.exec(container, ['sleep', '305'], options);
      await eventually('it runs', 20_000, async () =>
        (await others(container)).includes('sleep 305') ? true : undefined,
      );
      await suite.node.client.call('StopContainer', { containerId: container, timeout: 0 });
      assert.equal(await command.exitCode(), 137);
    }
  });

  it('are refused where nothing runs', async () => {
    const { container } = await runPod(suite.node, 'ended', ['true']);
    await waitForExit(suite.node, container);
    await assert.rejects(suite.streams.exec(container, ['true']), /exited/);
    await suite.node.client.call('RemoveContainer', { containerId: container });
    await assert.rejects(suite.streams.exec(container, ['true']), { code: 'NOT_FOUND' });
  });

  it('are refused in a paused container, at the latest when they would begin', async () => {
    const container = await start('crun');
    const url = await suite.streams.execUrl(container, ['true']);
    const cgroup = /freezer:(.*)/.exec(readFileSync(`/proc/${initOf(container)}/cgroup`, 'utf8'))![1]!;
    const freezer = `/sys/fs/cgroup/freezer${cgroup}/freezer.state`;
    writeFileSync(freezer, 'FROZEN');
    try {
      const command = await RemoteCommand.connect(url);
      const status = await command.status();
      command.client.destroy();
      assert.equal(status.status, 'Failure');
      assert.match(status.message!, /paused/);
      await assert.rejects(
        suite.node.client.call('ExecSync', { containerId: container, cmd: ['true'], timeout: 5 }),
        { code: 'FAILED_PRECONDITION', message: /paused/ },
      );
    } finally {
      writeFileSync(freezer, 'THAWED');
    }
  });

  it('end when the daemon stops, which it does cleanly', async () => {
    const { node } = suite;
    const container = await start('crun');
    const command = await suite.streams.exec(container, ['sleep', '306'], { stdin: true });
    const terminal = await suite.streams.exec(container, ['sleep', '307'], { stdin: true, tty: true });
    await eventually('both run', 5000, async () =>
      (await others(container)).filter((line) => /^sleep 30[67]$/.test(line)).length === 2 ? true : undefined,
    );
    await node.restart();
    await Promise.all([command.client.closed, terminal.client.closed]);
    await eventually('nothing of them is left', 5000, async () =>
      (await others(container)).length === 0 ? true : undefined,
    );
    const again = await suite.streams.exec(container, ['echo', 'back']);
    assert.equal((await bytesOf(again.stdout)).toString(), 'back\n');
  });
});
