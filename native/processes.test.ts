import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Worker } from 'node:worker_threads';
import { startChild } from './child.ts';
import { closeFd, memfd, openPath, O, pipe2 } from './fd.ts';
import { ExitWatcher } from './exits.ts';
import { killProcess, pidfdOpen, pidfdSignal, processAlive, processStartTime } from './pidfd.ts';
import { run } from './run.ts';
import { SIG, signalNumber } from './signals.ts';
import { dupPlan, findExecutable, spawn } from './spawn.ts';

const SLEEP = { path: 'sleep', argv: ['sleep', '100'] };

describe('processes', () => {
  let exits: ExitWatcher;
  before(async () => {
    exits = await ExitWatcher.start();
  });
  after(() => exits.close());

  describe('spawn', () => {
    const say = (script: string, more: object = {}) =>
      run(exits, { path: '/bin/sh', argv: ['sh', '-c', script], ...more });

    it('gives arguments, environment and directory as they are, and nothing else', async () => {
      const { stdout } = await run(exits, {
        path: '/bin/sh',
        argv: ['name', '-c', 'printf "%s|" "$0" "$@"; pwd; env', 'null', 'a b', '', 'é"\n'],
        env: ['X=1 2', 'Y=é'],
        cwd: '/usr',
      });
      assert.equal(stdout.toString(), 'null|a b||é"\n|/usr\nX=1 2\nY=é\nPWD=/usr\n');
    });

    it('leaves no other file descriptor open, and default signals', async () => {
      const fd = openPath('/dev/null', O.RDONLY);
      const keep = memfd('kept');
      const { stdout } = await say('ls /proc/self/fd; grep -E "^Sig(Blk|Ign)" /proc/self/status', {
        extraFds: [keep],
      });
      closeFd(fd);
      closeFd(keep);
      // 4 is the directory that ls itself reads.
      assert.equal(
        stdout.toString(),
        '0\n1\n2\n3\n4\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n',
      );
    });

    it('permutes file descriptors that stand in each others places', async () => {
      const plan = dupPlan([2, 0, 1, 9]);
      const table = new Map([0, 1, 2, 9].map((fd) => [fd, `file ${fd}`]));
      for (const [from, to] of plan) table.set(to, table.get(from)!);
      assert.deepEqual(
        [0, 1, 2, 3].map((fd) => table.get(fd)),
        ['file 2', 'file 0', 'file 1', 'file 9'],
      );
      const [read, write] = pipe2();
      const pid = spawn({ path: 'sh', argv: ['sh', '-c', 'echo to-two >&2'], fds: [0, read, write] });
      await exits.watch(pid);
      closeFd(write);
      assert.equal(readFileSync(read, 'utf8'), 'to-two\n');
      closeFd(read);
    });

    it('sets session and group', async () => {
      const fields = async (options: object) => {
        const pid = spawn({ ...SLEEP, ...options });
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
        const over = exits.watch(pid);
        process.kill(pid, 'SIGKILL');
        await over;
        return { group: Number(stat[2]) === pid, session: Number(stat[3]) === pid };
      };
      assert.deepEqual(await fields({}), { group: false, session: false });
      assert.deepEqual(await fields({ setpgroup: true }), { group: true, session: false });
      assert.deepEqual(await fields({ setsid: true }), { group: true, session: true });
    });

    it('says what is wrong', () => {
      assert.throws(() => spawn({ path: '/nowhere', argv: ['x'] }), {
        code: 'ENOENT',
        call: 'spawn /nowhere',
      });
      assert.throws(() => spawn({ path: 'no-such-program', argv: ['x'] }), { code: 'ENOENT' });
      assert.throws(() => spawn({ ...SLEEP, argv: ['sleep', '1\0'] }), { code: 'EINVAL' });
      assert.throws(() => spawn({ ...SLEEP, cwd: '/nowhere' }), /spawn sleep in \/nowhere: ENOENT/);
      assert.throws(() => spawn({ ...SLEEP, argv: ['x'.repeat(200_000)] }), { code: 'E2BIG' });
      assert.equal(findExecutable('sh', '/nowhere:/bin'), '/bin/sh');
      assert.equal(findExecutable('/etc/passwd'), undefined);
    });

    it('takes large arguments', async () => {
      const { stdout } = await run(exits, {
        path: '/bin/echo',
        argv: ['echo', ...Array.from({ length: 40 }, () => 'x'.repeat(50_000))],
        maxOutput: 4_000_000,
      });
      assert.equal(stdout.length, 40 * 50_001);
    });
  });

  describe('exits', () => {
    it('gives codes and signals', async () => {
      const sh = (script: string) => exits.watch(spawn({ path: 'sh', argv: ['sh', '-c', script] }));
      const [seven, killed] = await Promise.all([sh('exit 7'), sh('kill -TERM $$')]);
      assert.deepEqual(seven, { code: 7, signal: undefined });
      assert.deepEqual(killed, { code: undefined, signal: SIG.SIGTERM });
    });

    it('knows what was already over, and reaps once for all who watch', async () => {
      const pid = spawn({ path: 'true', argv: ['true'] });
      while (processAlive(pid, processStartTime(pid)!)) await new Promise(setImmediate);
      const [one, two] = await Promise.all([exits.watch(pid), exits.watch(pid)]);
      assert.deepEqual(one, { code: 0, signal: undefined });
      assert.equal(one, two);
      assert.deepEqual(await exits.watch(pid), { code: undefined, signal: undefined });
    });

    it('tells of processes that are not its children', async () => {
      const { stdout } = await run(exits, {
        path: 'sh',
        argv: ['sh', '-c', 'sleep 0.05 >/dev/null 2>&1 & echo $!'],
      });
      const status = await exits.watch(Number(stdout));
      assert.deepEqual(status, { code: undefined, signal: undefined });
    });

    it('watches many at once', async () => {
      const all = Array.from({ length: 100 }, (_, i) =>
        exits.watch(spawn({ path: 'sh', argv: ['sh', '-c', `exit ${i}`] })),
      );
      assert.deepEqual(
        (await Promise.all(all)).map((status) => status.code),
        Array.from({ length: 100 }, (_, i) => i),
      );
    });

    it('reaps what nobody watches and settles what is watched', async () => {
      const orphan = spawn({ path: 'true', argv: ['true'] });
      while (processAlive(orphan, processStartTime(orphan)!)) await new Promise(setImmediate);
      assert.equal(exits.reapOrphans(), 1);
      assert.equal(exits.reapOrphans(), 0);
      assert.equal(processStartTime(orphan), undefined);
    });

    it('reaps nobody who is just being started', async () => {
      let looking = true;
      const reaper = (async () => {
        let orphans = 0;
        for (; looking; await new Promise(setImmediate)) orphans += exits.reapOrphans();
        return orphans;
      })();
      const codes = Array.from({ length: 50 }, async (_, i) => {
        const { exited } = await startChild(exits, { path: 'sh', argv: ['sh', '-c', `exit ${i}`] });
        return (await exited).code;
      });
      assert.deepEqual(
        await Promise.all(codes),
        Array.from({ length: 50 }, (_, i) => i),
      );
      looking = false;
      assert.equal(await reaper, 0);
    });

    it('leaves no file descriptor behind and closes while something is watched', async () => {
      const count = () => readdirSync('/proc/self/fd').length;
      const before = count();
      const own = await ExitWatcher.start();
      await own.watch(spawn({ path: 'true', argv: ['true'] }));
      const pid = spawn(SLEEP);
      void own.watch(pid);
      await own.close();
      process.kill(pid, 'SIGKILL');
      await exits.watch(pid);
      assert.equal(count(), before);
    });

    it('lets the process end by itself or by process.exit', async () => {
      for (const end of ['', 'process.exit(3)']) {
        const { code } = await run(exits, {
          path: process.execPath,
          argv: [
            'node',
            '--input-type=module',
            '-e',
            `const {ExitWatcher}=await import(${JSON.stringify(new URL('./exits.ts', import.meta.url).href)}); await ExitWatcher.start(); ${end}`,
          ],
          timeoutMs: 5000,
        });
        assert.equal(code, end === '' ? 0 : 3);
      }
    });
  });

  describe('run', () => {
    it('gives input and both outputs, cut at the limit', async () => {
      const result = await run(exits, {
        path: 'sh',
        argv: ['sh', '-c', 'cat; head -c 300000 /dev/zero >&2; exit 5'],
        stdin: Buffer.from('input'),
        maxOutput: 1000,
      });
      assert.equal(result.code, 5);
      assert.equal(result.stdout.toString(), 'input');
      assert.equal(result.stderr.length, 1000);
      assert.equal(result.truncated, true);
    });

    it('does not wait for a grandchild that holds the output, and lets it write on', async () => {
      const proof = `${tmpdir()}/proof-${process.pid}`;
      const result = await run(exits, {
        path: 'sh',
        argv: ['sh', '-c', '(sleep 1; echo more && echo alive > "$0") & echo $!', proof],
        drainMs: 20,
      });
      assert.equal(existsSync(proof), false, 'it has not waited');
      await exits.watch(Number(result.stdout));
      assert.equal(readFileSync(proof, 'utf8'), 'alive\n');
      rmSync(proof);
    });

    it('gives back every file descriptor', async () => {
      const count = () => readdirSync('/proc/self/fd').length;
      const before = count();
      for (let i = 0; i < 20; i++)
        await run(exits, { path: 'echo', argv: ['echo', 'x'], stdin: Buffer.from('x') });
      await new Promise(setImmediate);
      assert.equal(count(), before);
    });

    it('kills the group when its time is over or the caller leaves', async () => {
      const endless = { path: 'sh', argv: ['sh', '-c', 'sleep 100 & sleep 100'] };
      const late = await run(exits, { ...endless, timeoutMs: 20 });
      assert.deepEqual([late.code, late.killed], [137, 'timeout']);
      const left = await run(exits, { ...endless, signal: AbortSignal.timeout(20) });
      assert.deepEqual([left.signal, left.killed], [9, 'abort']);
      await assert.rejects(run(exits, { ...endless, signal: AbortSignal.abort() }), { name: 'AbortError' });
      // While it is being started.
      const leaves = new AbortController();
      const running = run(exits, { ...endless, signal: leaves.signal });
      leaves.abort();
      assert.equal((await running).killed, 'abort');
    });

    it('leaks nothing when the program is missing', async () => {
      const count = () => readdirSync('/proc/self/fd').length;
      const before = count();
      await assert.rejects(run(exits, { path: '/nowhere', argv: ['x'], stdin: Buffer.from('x') }), {
        code: 'ENOENT',
      });
      assert.equal(count(), before);
    });
  });

  describe('pidfd', () => {
    it('signals the very process only', async () => {
      const pid = spawn(SLEEP);
      const over = exits.watch(pid);
      const startTime = processStartTime(pid)!;
      assert.equal(killProcess(pid, startTime + 1n, SIG.SIGKILL), false);
      assert.equal(processAlive(pid, startTime), true);
      const pidfd = pidfdOpen(pid);
      assert.equal(killProcess(pid, startTime, SIG.SIGKILL), true);
      await over;
      assert.equal(pidfdSignal(pidfd, SIG.SIGKILL), false);
      closeFd(pidfd);
      assert.equal(processAlive(pid, startTime), false);
      assert.equal(processStartTime(pid), undefined);
      assert.equal(killProcess(pid, startTime, SIG.SIGKILL), false);
    });
  });

  it('spawns from a worker thread', async () => {
    const source = `import { workerData, parentPort } from 'node:worker_threads';
      const { spawn } = await import(workerData); parentPort.postMessage(spawn({ path: 'sh', argv: ['sh', '-c', 'exit 9'] }));`;
    const worker = new Worker(source, {
      eval: true,
      workerData: new URL('./spawn.ts', import.meta.url).href,
    });
    const pid = await new Promise<number>((resolve) => worker.once('message', resolve));
    assert.deepEqual(await exits.watch(pid), { code: 9, signal: undefined });
    await worker.terminate();
  });

  it('knows signals by name', () => {
    assert.equal(signalNumber('SIGTERM'), 15);
    assert.equal(signalNumber('hup'), 1);
    assert.equal(signalNumber('SIGRTMIN+3'), 37);
    assert.equal(signalNumber('RTMAX-1'), 63);
    assert.equal(signalNumber('RTMAX'), 64);
    assert.equal(signalNumber('9'), 9);
    for (const wrong of ['', 'SIG', 'NOPE', '0', '65', 'RTMIN-1', 'RTMAX+1', 'toString'])
      assert.equal(signalNumber(wrong), undefined, wrong);
  });
});
