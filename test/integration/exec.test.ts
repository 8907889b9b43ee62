import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResponseOf } from '../../cri/rpc.ts';
import { initOf, monitorOf } from '../container-process.ts';
import { eventually, runPod, waitForExit, type ContainerConfig, type PodConfig } from '../pods.ts';
import { useNode } from '../use-node.ts';

/** The pid of the process in or below these cgroups (lines of /proc/PID/cgroup) with this command line. */
function processNamed(cgroups: string[], command: string[]): number | undefined {
  const freezer = cgroups.find((line) => line.includes(':freezer:'))!.split(':')[2]!;
  const within = readdirSync('/proc').filter((name) => {
    try {
      return (
        /^\d+$/.test(name) &&
        readFileSync(`/proc/${name}/cmdline`, 'latin1') === `${command.join('\0')}\0` &&
        readFileSync(`/proc/${name}/cgroup`, 'latin1').includes(`:freezer:${freezer}`)
      );
    } catch {
      return false; // it ended meanwhile
    }
  });
  assert.ok(within.length < 2, `${command.join(' ')} runs as ${within.join(', ')}`);
  return within.length === 0 ? undefined : Number(within[0]);
}

/** The ways into a container, by handler: joining it in process, and the runtime's exec. */
const WAYS = ['crun', 'runc', 'crun-oci'] as const;
const FOREVER = ['sleep', '100000'];
const MIB = 1024 * 1024;

describe('ExecSync', function () {
  this.timeout(60_000);
  const suite = useNode({
    config: {
      runtime: {
        handlers: { 'crun-oci': { path: 'crun', exec: 'oci' }, 'runc-oci': { path: 'runc', exec: 'oci' } },
      },
    },
  });

  type Answer = ResponseOf<'ExecSync'>;
  const exec = (container: string, cmd: string[], timeout = 20): Promise<Answer> =>
    suite.node.client.call('ExecSync', { containerId: container, cmd, timeout });
  const text = async (container: string, cmd: string[]): Promise<string> => {
    const { stdout, stderr, exitCode } = await exec(container, cmd);
    assert.equal(exitCode, 0, Buffer.from(stderr).toString());
    return Buffer.from(stdout).toString();
  };
  const start = async (
    name: string,
    handler: string,
    changes: { container?: ContainerConfig; pod?: PodConfig } = {},
  ): Promise<string> => (await runPod(suite.node, name, FOREVER, { handler, ...changes })).container;
  /** Command lines of the living processes inside, but for those that look: the first process here reaps nobody. */
  const processes = async (container: string): Promise<string[]> => {
    const lines = await text(container, ['ps', '-o', 'args']);
    return lines
      .trim()
      .split('\n')
      .slice(1)
      .filter((line) => !line.startsWith('ps -o') && !line.startsWith('[') && line !== 'berth-exec');
  };

  for (const way of WAYS)
    describe(`in a pod of the handler ${way}`, () => {
      it('gives output and exit code', async () => {
        const container = await start('codes', way);
        const { stdout, stderr, exitCode } = await exec(container, [
          'sh',
          '-c',
          'echo out; echo err >&2; exit 7',
        ]);
        assert.deepEqual(
          [Buffer.from(stdout).toString(), Buffer.from(stderr).toString(), exitCode],
          ['out\n', 'err\n', 7],
        );
        assert.equal((await exec(container, ['true'])).exitCode, 0);
        assert.equal((await exec(container, ['sh', '-c', 'kill -9 $$'])).exitCode, 137);
        assert.equal((await exec(container, ['sh', '-c', 'kill -TERM $$'])).exitCode, 143);
        assert.equal(await text(container, ['echo', 'a b', '', 'ü€', '$x']), 'a b  ü€ $x\n');
        assert.equal(await text(container, ['cat']), '', 'standard input is empty');
      });

      it('says why a command cannot be run', async () => {
        const container = await start('refused', way);
        const refusal = async (...cmd: string[]): Promise<string> => {
          const error = await exec(container, cmd).then(
            () => assert.fail(`${cmd[0]} ran`),
            (reason: unknown) => reason as { code: string; details: string },
          );
          assert.equal(error.code, 'INVALID_ARGUMENT', error.details);
          return error.details;
        };
        assert.match(await refusal('nosuch'), /nosuch.*not found in \$?PATH/);
        await refusal('/no/such');
        await refusal('/etc/passwd');
        await refusal('');
        await refusal('/');
      });

      it('leaves an orphan alone that keeps the output open', async () => {
        const container = await start('orphan', way);
        const begun = performance.now();
        assert.equal(await text(container, ['sh', '-c', 'echo hi; sleep 301 &']), 'hi\n');
        assert.ok(performance.now() - begun < 60_000);
        assert.ok((await processes(container)).includes('sleep 301'));
        const chatty = 'while sleep 0.05; do echo still here; done';
        await text(container, ['sh', '-c', `(${chatty}) & echo begun`]);
        await sleep(300);
        assert.ok(
          (await processes(container)).some((line) => line === 'sleep 0.05' || line.includes(chatty)),
        );
      });

      it('kills all that came from a command whose time is over', async () => {
        const container = await start('timeout', way);
        const before = await processes(container);
        // A child, and a grandchild whose parent has ended.
        const script = '(sleep 302 & exit 0); sleep 303 & sleep 304';
        const begun = performance.now();
        await assert.rejects(exec(container, ['sh', '-c', script], 1), { code: 'DEADLINE_EXCEEDED' });
        assert.ok(performance.now() - begun < 60_000);
        await eventually('only the container itself is left', 3000, async () =>
          (await processes(container)).length === before.length ? true : undefined,
        );
      });

      it('kills nothing else with it', async () => {
        const { container } = await runPod(
          suite.node,
          'others',
          ['sh', '-c', 'sleep 310 & setsid sleep 311 & exec sleep 312'],
          { handler: way },
        );
        await text(container, ['sh', '-c', 'sleep 313 &']);
        const other = exec(container, ['sh', '-c', 'sleep 3; echo lives']);
        await assert.rejects(exec(container, ['sh', '-c', 'sleep 314'], 1), { code: 'DEADLINE_EXCEEDED' });
        assert.equal(Buffer.from((await other).stdout).toString(), 'lives\n');
        const left = await processes(container);
        assert.deepEqual(
          [310, 311, 312, 313, 314].map((n) => left.includes(`sleep ${n}`)),
          [true, true, true, true, false],
        );
      });

      it('keeps 16 MiB of what is written, and no more in memory', async () => {
        const container = await start('flood', way);
        const memory = (): number =>
          Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${suite.node.pid}/status`, 'utf8'))![1]) / 1024;
        const before = memory();
        let peak = 0;
        const watching = setInterval(() => (peak = Math.max(peak, memory())), 20);
        try {
          const { stdout, exitCode } = await exec(
            container,
            ['sh', '-c', 'head -c 536870912 /dev/zero; exit 5'],
            60,
          );
          assert.deepEqual([stdout.length, exitCode], [16 * MIB, 5]);
        } finally {
          clearInterval(watching);
        }
        assert.ok(peak - before < 128, `grew from ${before} to ${peak} MiB`);
      });

      it('refuses a container that does not run', async () => {
        const { container } = await runPod(suite.node, 'stopped', ['true'], { handler: way });
        await waitForExit(suite.node, container);
        await assert.rejects(exec(container, ['true']), { code: 'FAILED_PRECONDITION' });
      });

      it('runs 64 commands at once', async () => {
        const container = await start('crowd', way);
        const answers = await Promise.all(
          Array.from({ length: 64 }, (_, i) => exec(container, ['sh', '-c', `echo ${i}; exit ${i}`])),
        );
        assert.deepEqual(
          answers.map(({ stdout, exitCode }) => [Buffer.from(stdout).toString(), exitCode]),
          answers.map((_, i) => [`${i}\n`, i]),
        );
        assert.equal((await processes(container)).length, 1);
      });
    });

  for (const handler of ['crun', 'runc', 'crun-oci', 'runc-oci'])
    describe(`in a container of the handler ${handler}, whose commands do not want to be found`, () => {
      it('kills what has left by setsid and lost its parent, however deep it is, and nothing else', async () => {
        const container = await start('escapes', handler);
        await text(container, ['setsid', 'sh', '-c', 'sleep 323 & exit 0']);
        const escape = (inner: string): string => `setsid sh -c '${inner} & exit 0' & `;
        const script = `${escape('sleep 320')} (${escape('setsid sleep 321')}) & sleep 0.3; sleep 322`;
        const timed = assert.rejects(exec(container, ['sh', '-c', script], 2), { code: 'DEADLINE_EXCEEDED' });
        await eventually('they have escaped', 5000, async () =>
          (await processes(container)).filter((line) => /^sleep 32[012]$/.test(line)).length === 3
            ? true
            : undefined,
        );
        await timed;
        await eventually('all of them are gone', 5000, async () =>
          (await processes(container)).length === 2 ? true : undefined,
        );
        assert.deepEqual(await processes(container), ['sleep 100000', 'sleep 323']);
      });

      it('outruns what forks all the time', async () => {
        const container = await start('forks', handler);
        const script = 'f() { while :; do (sleep 0.01; :) & done; }; f & f & sleep 330';
        await assert.rejects(exec(container, ['timeout', '20', 'sh', '-c', script], 1), {
          code: 'DEADLINE_EXCEEDED',
        });
        await eventually('all of them are gone', 10_000, async () =>
          (await processes(container)).length === 1 ? true : undefined,
        );
      });
    });

  for (const handler of ['crun-oci', 'runc-oci'])
    it(`leaves no cgroup of its commands behind, and keeps them within the container's, with ${handler}`, async () => {
      const container = await start('cgroups', handler);
      const own = readFileSync(`/proc/${initOf(container)}/cgroup`, 'utf8')
        .trim()
        .split('\n');
      const left = (): string[] =>
        own.flatMap((line) => {
          const [, controllers = '', path = ''] = line.split(':');
          const tree = `/sys/fs/cgroup/${controllers.replace('name=', '')}`;
          // A tree that is mounted nowhere holds no cgroup of a command: nobody can have made one.
          if (!existsSync(tree)) return [];
          return readdirSync(`${tree}${path}`).filter((name) => name.startsWith('berth-exec-'));
        });
      const daemon = await text(container, ['sh', '-c', 'sleep 340 & echo $!']);
      assert.ok(left().length > 0, 'what lives on keeps its cgroup');
      // What the shell has forked may still bear the shell's name.
      const host = await eventually('sleep runs', 10_000, () => processNamed(own, ['sleep', '340']));
      const theirs = readFileSync(`/proc/${host}/cgroup`, 'utf8').trim().split('\n');
      for (const [at, line] of own.entries())
        assert.match(theirs[at]!, new RegExp(`^${RegExp.escape(line)}(/berth-exec-[0-9-]+)?$`));
      await suite.node.client.call('UpdateContainerResources', {
        containerId: container,
        linux: { cpusetCpus: '0' },
      });
      assert.match(readFileSync(`/proc/${host}/status`, 'utf8'), /^Cpus_allowed_list:\t0$/m);
      await text(container, ['kill', daemon.trim()]);
      await eventually('all of them are gone', 10_000, async () => {
        await text(container, ['true']);
        return left().length === 0 ? true : undefined;
      });
    });

  for (const handler of ['crun', 'runc'])
    describe(`joining a container of ${handler}`, () => {
      /** State letters of all processes inside: a zombie is a Z. */
      const states = async (container: string): Promise<string[]> =>
        (await text(container, ['ps', '-o', 'stat'])).trim().split('\n').slice(1);

      it('leaves no zombie in 100 commands that leave grandchildren, ended in time or not', async () => {
        const container = await start('zombies', handler);
        const pids = /pids:(.*)/.exec(readFileSync(`/proc/${initOf(container)}/cgroup`, 'utf8'))![1]!;
        const current = (): number => Number(readFileSync(`/sys/fs/cgroup/pids${pids}/pids.current`, 'utf8'));
        for (let round = 0; round < 5; round++) {
          await Promise.all([
            ...Array.from({ length: 10 }, () =>
              text(container, ['sh', '-c', '(sleep 0.2 & exit 0) & sleep 0.1']),
            ),
            ...Array.from({ length: 10 }, () =>
              assert.rejects(exec(container, ['sh', '-c', 'sleep 1000 & (sleep 1001 &) ; sleep 1002'], 1), {
                code: 'DEADLINE_EXCEEDED',
              }),
            ),
          ]);
        }
        await eventually('the container is alone', 5000, () => (current() === 1 ? true : undefined));
        assert.equal((await states(container)).join('').includes('Z'), false);
      });
    });

  it('ends with the container', async () => {
    const container = await start('ending', 'crun');
    const running = exec(container, ['sleep', '305']);
    await eventually('the command runs', 3000, async () =>
      (await processes(container)).includes('sleep 305') ? true : undefined,
    );
    await suite.node.client.call('StopContainer', { containerId: container, timeout: 0 });
    assert.equal((await running).exitCode, 137);
  });

  for (const handler of WAYS)
    it(`says that the container has ended before anybody else has said it, with ${handler}`, async () => {
      const { node } = suite;
      const container = await start(`gone-${handler}`, handler);
      const monitor = monitorOf(node, container);
      // Who does not take the end note of it.
      process.kill(monitor, 'SIGSTOP');
      try {
        process.kill(initOf(container), 'SIGKILL');
        await assert.rejects(exec(container, ['true']), {
          code: 'FAILED_PRECONDITION',
          message: /ended before the command could begin/,
        });
      } finally {
        process.kill(monitor, 'SIGCONT');
      }
      await waitForExit(node, container);
    });

  it('looks into a container that is at its limit of processes', async () => {
    const { container } = await runPod(suite.node, 'full', ['sh', '-c', 'sleep 306'], { handler: 'crun' });
    const pids = readFileSync(`/proc/${initOf(container)}/cgroup`, 'utf8').match(/pids:(.*)/)![1]!;
    writeFileSync(`/sys/fs/cgroup/pids${pids}/pids.max`, '1');
    assert.equal(await text(container, ['cat', '/proc/self/comm']), 'cat\n');
    assert.doesNotMatch(suite.node.log, /could not be taken/);
  });

  it('leaks nothing in 500 commands', async () => {
    const { node } = suite;
    const container = await start('many', 'crun');
    const census = (): number[] => [
      readdirSync(`/proc/${node.pid}/fd`).length,
      Number(/Threads:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8'))![1]),
      readdirSync(`${node.state}/containers/${container}`).length,
    ];
    for (let i = 0; i < 20; i++) await exec(container, ['true']);
    const before = census();
    for (let i = 0; i < 20; i++)
      await Promise.all(Array.from({ length: 25 }, () => exec(container, ['true'])));
    // Fewer is no leak: what earlier tests held may go late.
    await eventually(`descriptors, threads and files are at most ${before.join(', ')}`, 5000, () =>
      census().every((many, at) => many <= before[at]!) ? true : undefined,
    );
    assert.doesNotMatch(node.log, /could not be taken/);
  });

  it('leaves to the runtime what it cannot do itself, and passes its words on', async () => {
    const { container } = await runPod(suite.node, 'moved', FOREVER, {
      handler: 'crun',
      container: { workingDir: '/tmp/work' },
    });
    assert.equal(await text(container, ['pwd']), '/tmp/work\n');
    assert.doesNotMatch(suite.node.log, /could not be taken/);
    await text(container, ['rmdir', '/tmp/work']);
    await assert.rejects(exec(container, ['pwd']), { code: 'INVALID_ARGUMENT', message: /chdir/ });
    assert.match(suite.node.log, /change to the directory \/tmp\/work: ENOENT.*could not be taken/);
  });
});
