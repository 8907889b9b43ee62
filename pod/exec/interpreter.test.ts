import assert from 'node:assert/strict';
import { E } from '../../native/errno.ts';
import { OwnedFd, pipe2, sealedProgram, socketpair } from '../../native/fd.ts';
import { ExitWatcher, type ExitStatus } from '../../native/exits.ts';
import { OutputPipe } from '../../native/output.ts';
import { devNullFd, spawn } from '../../native/spawn.ts';
import { CallList } from './call-list.ts';
import { readReport, type Report } from './interpreter.ts';
import { ReportSocket } from './report.ts';

const SYS = { read: 0, write: 1, close: 3, dup2: 33, getpid: 39, clone: 56, execve: 59, fcntl: 72 };
const SIGCHLD = 17;
const CLONE_PARENT = 0x8000;
const SH = '/bin/sh';

describe('a program that is a list of calls', () => {
  let exits: ExitWatcher;
  before(async () => {
    exits = await ExitWatcher.start();
  });
  after(() => exits.close());

  /** Runs the program; `gate` is what it finds there. */
  async function play(
    list: CallList,
    gate: 'open' | 'closed' = 'open',
  ): Promise<{ status: ExitStatus; output: string; reports: Report[] }> {
    const reports: Report[] = [];
    const [ours, theirs] = socketpair();
    const [read, write] = pipe2();
    using report = new OwnedFd(theirs);
    using output = new OwnedFd(write);
    using program = new OwnedFd(sealedProgram('test', list.program()));
    const fds = [devNullFd(), output.fd, output.fd, report.fd, program.fd];
    const pid = spawn({ path: '/proc/self/fd/4', argv: ['test'], env: [], fds });
    const exited = exits.watch(pid);
    output.close();
    report.close();
    const socket = new ReportSocket(ours, (bytes) => reports.push(readReport(bytes, list.dataSize)));
    if (gate === 'open') socket.proceed();
    else socket.close();
    const pipe = new OutputPipe(read, 1000);
    const status = await exited;
    await pipe.ended;
    socket.drain();
    socket.close();
    return { status, output: pipe.take().toString(), reports };
  }

  function says(list: CallList, words: string): void {
    list.add('must', 'speak', SYS.write, 1, list.text(words), words.length);
  }

  it('makes call after call and becomes the command', async () => {
    const list = new CallList();
    list.add('try', 'fail', SYS.close, 77);
    says(list, 'first ');
    const argv = list.texts(['sh', '-c', 'echo "$1 $X"', '', 'ü']);
    list.add('exec', 'execute', SYS.execve, list.text(SH), argv, list.texts(['X=y\nz']));
    assert.deepEqual(await play(list), {
      status: { code: 0, signal: undefined },
      output: 'first ü y\nz\n',
      reports: [],
    });
  });

  it('reports which call failed, and why', async () => {
    const list = new CallList();
    says(list, 'a');
    list.add('must', 'fail', SYS.close, 77);
    says(list, 'b');
    const { status, output, reports } = await play(list);
    assert.deepEqual([status.code, output], [1, 'a']);
    assert.deepEqual(reports, [{ kind: 'failed', call: 1, errno: E.EBADF }]);
    assert.equal(list.calls[1]!.what, 'fail');
  });

  it('looks for the command place by place', async () => {
    const places = async (...paths: string[]): Promise<Report[]> => {
      const list = new CallList();
      const argv = list.texts(['x']);
      for (const path of paths)
        list.add('exec', `execute ${path}`, SYS.execve, list.text(path), argv, list.texts([]));
      return (await play(list)).reports;
    };
    assert.deepEqual(await places(), [{ kind: 'failed', call: 0, errno: E.ENOENT }]);
    assert.deepEqual(await places('/nosuch/a', '/etc/passwd/b'), [
      { kind: 'failed', call: 2, errno: E.ENOENT },
    ]);
    assert.deepEqual(await places('/nosuch', '/etc/passwd', '/nosuch'), [
      { kind: 'failed', call: 3, errno: E.EACCES },
    ]);
    assert.deepEqual(await places('/nosuch', '/bin/true', '/nosuch'), []);
    assert.deepEqual(await places('/nosuch', `/${'x'.repeat(300)}`, '/bin/true'), [
      { kind: 'failed', call: 1, errno: E.ENAMETOOLONG },
    ]);
  });

  it('waits at a gate until it is let through, and ends when nobody is there', async () => {
    const list = new CallList();
    says(list, 'before ');
    list.add('gate', 'wait', SYS.read, 3, 0, 1);
    says(list, 'behind');
    list.add('exec', 'execute', SYS.execve, list.text('/bin/true'), list.texts(['true']), list.texts([]));
    const open = await play(list);
    assert.deepEqual([open.status.code, open.output, open.reports], [0, 'before behind', []]);
    const closed = await play(list, 'closed');
    assert.deepEqual([closed.status.code, closed.output, closed.reports], [1, 'before ', []]);
  });

  it('goes on in a sibling whose pid it reports', async () => {
    const list = new CallList();
    list.add('fork', 'fork', SYS.clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    const argv = list.texts(['sh', '-c', 'echo $$ $PPID']);
    list.add('exec', 'execute', SYS.execve, list.text(SH), argv, list.texts([]));
    const { status, output, reports } = await play(list);
    assert.equal(status.code, 0);
    const [report] = reports;
    assert.ok(report?.kind === 'forked');
    assert.equal(output, `${report.pid} ${process.pid}\n`);
    assert.deepEqual(await exits.watch(report.pid), { code: 0, signal: undefined });
  });
});
