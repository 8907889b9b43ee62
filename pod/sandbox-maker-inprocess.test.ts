import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { sleep } from '../ground/wait.ts';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { Fault } from '../ground/fault.ts';
import { isErrno } from '../native/errno.ts';
import { ExitWatcher } from '../native/exits.ts';
import { mountTmpfs, umount } from '../native/mount.ts';
import { inNetns, isNsfs } from '../native/namespaces.ts';
import { Rtnl } from '../native/netlink.ts';
import { processStartTime } from '../native/pidfd.ts';
import { run } from '../native/run.ts';
import { SIG } from '../native/signals.ts';
import { InprocessSandboxMaker } from './sandbox-maker-inprocess.ts';
import type { MadeSandbox, SandboxRequest } from './sandbox-maker.ts';
import { sysctlFile } from './sandbox-sysctl.ts';

/** What a container has that asks for nothing else. */
const CONTAINER_CAPABILITIES =
  '-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+sys_chroot,+mknod';
const KINDS = ['net', 'ipc', 'uts', 'pid', 'mnt'];

describe('sandboxes made in process', () => {
  let exits: ExitWatcher;
  let maker: InprocessSandboxMaker;
  let directory: string;
  let count = 0;
  const made: { request: SandboxRequest; sandbox: MadeSandbox }[] = [];

  before(async () => {
    directory = mkdtempSync(`${tmpdir()}/sandboxes-`);
    exits = await ExitWatcher.start();
    maker = new InprocessSandboxMaker({ exits });
  });
  afterEach(async () => {
    for (const { request, sandbox } of made.splice(0)) await maker.destroy(request, sandbox);
    assert.deepEqual(readdirSync(directory), []);
  });
  after(async () => {
    await maker.close();
    await exits.close();
    rmSync(directory, { recursive: true });
  });

  function request(
    namespaces: Partial<SandboxRequest['namespaces']> = {},
    more: Partial<SandboxRequest> = {},
  ) {
    const own = { net: true, ipc: true, pid: true, ...namespaces };
    const id = `test-${process.pid}-${++count}`;
    const netnsPin = own.net ? { netnsPin: `${directory}/${id}` } : {};
    return {
      id,
      hostname: 'pod-one',
      namespaces: own,
      sysctls: {},
      cgroupParent: '/berth-test',
      ...netnsPin,
      ...more,
    };
  }

  async function make(wanted: SandboxRequest): Promise<MadeSandbox> {
    const sandbox = await maker.make(wanted);
    made.push({ request: wanted, sandbox });
    return sandbox;
  }

  /** Runs a shell script as a container that shares the pod's PID namespace would. */
  function inPod(sandbox: MadeSandbox, script: string, capabilities: string) {
    return run(exits, {
      path: 'nsenter',
      argv: [
        ...`nsenter --target ${sandbox.pid} --pid --ipc --net --uts`.split(' '),
        ...`unshare --mount --mount-proc setpriv --bounding-set=${capabilities}`.split(' '),
        'sh',
        '-c',
        script,
      ],
      timeoutMs: 15_000,
    });
  }

  it('makes every namespace, and leaves the node alone', async () => {
    const wanted = request({}, { sysctls: { 'net.ipv4.ip_forward': '1', 'kernel.shmmni': '123' } });
    const { pid, startTime } = await make(wanted);
    for (const kind of KINDS)
      assert.notEqual(readlinkSync(`/proc/${pid}/ns/${kind}`), readlinkSync(`/proc/self/ns/${kind}`), kind);
    assert.equal(processStartTime(pid), startTime);
    assert.equal(isNsfs(wanted.netnsPin!), true);
    assert.equal(statSync(wanted.netnsPin!).ino, Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))![0]));
    inNetns(wanted.netnsPin!, () => {
      using rtnl = new Rtnl();
      assert.deepEqual(
        rtnl.links().map(({ name, up }) => ({ name, up })),
        [{ name: 'lo', up: true }],
      );
    });
    const { stdout } = await inPod(
      { pid, startTime },
      'hostname; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni',
      '-all',
    );
    assert.equal(stdout.toString(), 'pod-one\n1\n123\n');
    await isBackOnNode();
  });

  it('starts a pause that has no power, no files of the node and a session of its own', async () => {
    const { pid } = await make(request());
    const status = new Map(
      readFileSync(`/proc/${pid}/status`, 'utf8')
        .split('\n')
        .map((line) => line.split(':\t', 2) as [string, string]),
    );
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      assert.equal(status.get(set), '0000000000000000', set);
    assert.equal(status.get('NoNewPrivs'), '1');
    assert.equal(status.get('Seccomp'), '2');
    assert.equal(status.get('Uid'), '65534\t65534\t65534\t65534');
    assert.equal(status.get('Gid'), '65534\t65534\t65534\t65534');
    assert.equal(status.get('Groups')?.trim(), '');
    assert.equal(status.get('NSpid'), `${pid}\t1`);
    assert.equal(status.get('NSsid'), `${pid}\t1`);
    assert.deepEqual(readdirSync(`/proc/${pid}/root`), ['berth-pause']);
    assert.match(
      readFileSync(`/proc/${pid}/mountinfo`, 'utf8'),
      /^\S+ \S+ \S+ \/ \/ ro,[^\n]* tmpfs [^\n]*\n$/,
    );
    assert.deepEqual(
      readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
      ['/null (deleted)', '/null (deleted)', '/null (deleted)'],
    );
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /^\/berth-pause\0test-\d+-\d+\0$/);
  });

  it('gives nothing to a container that shares its PID namespace', async () => {
    const sandbox = await make(request());
    const powerless = await inPod(
      sandbox,
      `for attempt in 'ls /proc/1/root' 'cat /proc/1/maps' 'readlink /proc/1/ns/mnt' 'dd if=/proc/1/mem count=1' \\
        'readlink /proc/1/fd/0' 'readlink /proc/1/exe' 'cat /proc/1/stack'; do $attempt >/dev/null 2>&1 && echo "possible: $attempt"; done
       kill -KILL 1; echo over`,
      CONTAINER_CAPABILITIES,
    );
    assert.equal(powerless.stdout.toString(), 'over\n');
    const privileged = await inPod(
      sandbox,
      'ls /proc/1/root; touch /proc/1/root/x || echo read-only',
      '+all',
    );
    assert.equal(privileged.stdout.toString(), 'berth-pause\nread-only\n');
    assert.equal(maker.alive(sandbox), true);
  });

  it('gives a pod a user namespace that owns all its others', async () => {
    const before = children();
    const userns = {
      uids: [{ containerId: 0, hostId: 100_000, length: 65_536 }],
      gids: [{ containerId: 0, hostId: 200_000, length: 65_536 }],
    };
    const sysctls = {
      'net.ipv4.ip_unprivileged_port_start': '80',
      'net/ipv4/conf/lo/forwarding': '1',
      'kernel.shmmni': '123',
      'kernel.domainname': 'example',
    };
    const wanted = request({}, { userns, sysctls });
    const sandbox = await make(wanted);
    const { pid } = sandbox;
    for (const kind of [...KINDS, 'user'])
      assert.notEqual(readlinkSync(`/proc/${pid}/ns/${kind}`), readlinkSync(`/proc/self/ns/${kind}`), kind);
    const see = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');
    assert.match(see('uid_map'), /^ +0 +100000 +65536\n$/);
    assert.match(see('gid_map'), /^ +0 +200000 +65536\n$/);
    assert.equal(see('setgroups'), 'allow\n');
    assert.match(see('status'), /^Uid:\t165534\t165534\t165534\t165534$/m);
    assert.match(see('status'), /^Gid:\t265534\t265534\t265534\t265534$/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      assert.match(see('status'), new RegExp(`^${set}:\t0+$`, 'm'));
    assert.match(see('status'), new RegExp(`^NSpid:\t${pid}\t1$`, 'm'));
    assert.match(see('status'), /^Seccomp:\t2$/m);
    assert.match(see('status'), new RegExp(`^NSsid:\t${pid}\t1$`, 'm'));
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /^\/berth-pause\0test-\d+-\d+\0$/);
    assert.deepEqual(readdirSync(`/proc/${pid}/root`), ['berth-pause']);
    assert.deepEqual(
      readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
      ['/null (deleted)', '/null (deleted)', '/null (deleted)'],
    );
    assert.equal(statSync(wanted.netnsPin!).ino, Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))![0]));
    const inside = await run(exits, {
      path: 'nsenter',
      argv: [
        ...`nsenter --target ${pid} --user --pid --ipc --net --uts`.split(' '),
        ...'unshare --mount --mount-proc sh -c'.split(' '),
        `hostname; ip -o link show up | cut -d: -f2; cd /proc/sys
         cat net/ipv4/ip_unprivileged_port_start net/ipv4/conf/lo/forwarding kernel/shmmni kernel/domainname
         echo 90 > net/ipv4/ip_unprivileged_port_start && ip link add v0 type veth && ip link show v0 | wc -l`,
      ],
      timeoutMs: 15_000,
    });
    assert.equal(
      inside.stdout.toString() + inside.stderr.toString(),
      'pod-one\n lo\n80\n1\n123\nexample\n2\n',
    );
    await isBackOnNode();
    assert.deepEqual(newChildren(before), [String(pid)]);
  });

  it('makes a user namespace with the other namespaces of the node', async () => {
    const userns = {
      uids: [{ containerId: 0, hostId: 100_000, length: 65_536 }],
      gids: [{ containerId: 0, hostId: 100_000, length: 65_536 }],
    };
    const { pid } = await make(request({ net: false, ipc: false, pid: false }, { userns }));
    for (const kind of ['net', 'ipc', 'uts', 'pid'])
      assert.equal(readlinkSync(`/proc/${pid}/ns/${kind}`), readlinkSync(`/proc/self/ns/${kind}`), kind);
    assert.notEqual(readlinkSync(`/proc/${pid}/ns/user`), readlinkSync('/proc/self/ns/user'));
  });

  it('says what a pod with a user namespace cannot have, and leaves nothing', async () => {
    const range = { containerId: 0, hostId: 100_000, length: 65_536 };
    const userns = { uids: [range], gids: [range] };
    const before = children();
    const cases: [Partial<SandboxRequest>, Fault['kind'], RegExp][] = [
      [
        { userns: { uids: [{ ...range, length: 0xffff_ffff }], gids: [range] } },
        'precondition',
        /"0 100000 4294967295" cannot be mapped/,
      ],
      [{ userns, sysctls: { 'net.ipv4.no_such': '1' } }, 'invalid', /net\.ipv4\.no_such" does not exist/],
      [{ userns, sysctls: { 'kernel.sem': 'much' } }, 'invalid', /"kernel\.sem" cannot be set to "much"/],
      [{ userns, netnsPin: `${directory}/none/pin` }, 'internal', /none\/pin/],
    ];
    for (const [more, kind, message] of cases)
      await assert.rejects(
        maker.make(request({}, more)),
        (error) => error instanceof Fault && error.kind === kind && message.test(error.message),
        message.source,
      );
    assert.deepEqual(readdirSync(directory), []);
    assert.deepEqual(newChildren(before), []);
    await make(request({}, { userns }));
  });

  it('reaps what the pod leaves behind, and ends on TERM', async () => {
    const wanted = request();
    const sandbox = await make(wanted);
    await inPod(sandbox, 'for i in 1 2 3; do (true & exec true) & done; wait', '-all');
    await inPod(sandbox, '(sleep 0.05 &)', '-all');
    const children = () => readFileSync(`/proc/${sandbox.pid}/task/${sandbox.pid}/children`, 'latin1');
    // Pause has its own time for it; the test's limit ends the wait.
    while (children() !== '') await sleep(5);
    const over = exits.watch(sandbox.pid);
    process.kill(sandbox.pid, SIG.SIGTERM);
    assert.deepEqual(await over, { code: 0, signal: undefined });
    assert.equal(maker.alive(sandbox), false);
    await maker.exited(sandbox);
  });

  it('makes a sandbox in the namespaces of the node', async () => {
    const sandbox = await make(request({ net: false, ipc: false, pid: false }));
    for (const kind of ['net', 'ipc', 'uts', 'pid'])
      assert.equal(
        readlinkSync(`/proc/${sandbox.pid}/ns/${kind}`),
        readlinkSync(`/proc/self/ns/${kind}`),
        kind,
      );
    assert.deepEqual(readdirSync(`/proc/${sandbox.pid}/root`), ['berth-pause']);
    process.kill(sandbox.pid, SIG.SIGINT);
    assert.deepEqual(await exits.watch(sandbox.pid), { code: 0, signal: undefined });
  });

  it('makes many at once, each its own', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => make(request({ pid: i % 2 === 0 }))));
    assert.equal(new Set(all.map(({ pid }) => readlinkSync(`/proc/${pid}/ns/net`))).size, 20);
  });

  it('keeps no mount of the node busy', async () => {
    const busy = `${directory}/busy`;
    mkdirSync(busy);
    mountTmpfs(busy);
    await make(request());
    assert.equal(umount(busy, 0), true);
    rmSync(busy, { recursive: true });
  });

  it('refuses sysctls that do not fit, and leaves nothing', async () => {
    const cases: [string, string, RegExp, Partial<SandboxRequest['namespaces']>][] = [
      ['net.ipv4.ip_forward', 'many', /"net\.ipv4\.ip_forward" cannot be set to "many"/, {}],
      ['net.ipv4.no_such', '1', /"net\.ipv4\.no_such" does not exist/, {}],
      ['vm.swappiness', '1', /vm\.swappiness/, {}],
      ['net.ipv4.ip_forward', '1', /net\.ipv4\.ip_forward/, { net: false }],
      ['kernel.shmmni', '1', /kernel\.shmmni/, { ipc: false }],
      ['net/../kernel/hostname', 'x', /kernel\/hostname/, {}],
    ];
    const before = children();
    for (const [name, value, message, namespaces] of cases)
      await assert.rejects(
        maker.make(request(namespaces, { sysctls: { [name]: value } })),
        (error) => error instanceof Fault && error.kind === 'invalid' && message.test(error.message),
        name,
      );
    assert.deepEqual(readdirSync(directory), []);
    assert.deepEqual(newChildren(before), []);
  });

  it('leaves nothing when the pin cannot be made, and goes on', async () => {
    const wanted = request({}, { netnsPin: `${directory}/none/pin` });
    await assert.rejects(
      maker.make(wanted),
      (error) => error instanceof Fault && /none\/pin/.test(error.message),
    );
    await make(request());
    const taken = request();
    await make(taken);
    await assert.rejects(maker.make(taken), (error) => error instanceof Fault && error.kind === 'exists');
    assert.equal(isNsfs(taken.netnsPin!), true);
  });

  it('honours an abort', async () => {
    const before = children();
    await assert.rejects(maker.make(request(), AbortSignal.abort()), { name: 'AbortError' });
    const abort = new AbortController();
    const late = maker.make(request(), abort.signal);
    abort.abort();
    await assert.rejects(late, { name: 'AbortError' });
    assert.deepEqual(newChildren(before), []);
  });

  it('destroys more than once, and what was never written down', async () => {
    const wanted = request();
    const sandbox = await maker.make(wanted);
    const exited = maker.exited(sandbox);
    await maker.destroy(wanted, { ...sandbox, startTime: sandbox.startTime + 1n });
    assert.equal(maker.alive(sandbox), true);
    await maker.destroy(wanted, undefined);
    await exited;
    assert.equal(maker.alive(sandbox), false);
    assert.equal(existsSync(wanted.netnsPin!), false);
    await maker.destroy(wanted, undefined);
    await maker.destroy(wanted, sandbox);
  });

  it('finds the file of a sysctl by either spelling', () => {
    assert.equal(sysctlFile('net.ipv4.ip_forward'), '/proc/sys/net/ipv4/ip_forward');
    assert.equal(sysctlFile('net.ipv4.conf.eth0/1.forwarding'), '/proc/sys/net/ipv4/conf/eth0.1/forwarding');
    assert.equal(sysctlFile('net/ipv4/conf/eth0.1/forwarding'), '/proc/sys/net/ipv4/conf/eth0.1/forwarding');
    for (const wrong of ['', 'net..x', 'net/../x', '/net/x', 'net.x\0y'])
      assert.throws(() => sysctlFile(wrong), Fault, wrong);
  });

  /** The namespaces of these threads of this process. */
  function namespacesOf(tasks: (string | number)[]): string[] {
    const links = tasks.flatMap((task) => {
      try {
        return ['net', 'ipc', 'uts', 'pid_for_children', 'mnt'].map((kind) =>
          readlinkSync(`/proc/self/task/${task}/ns/${kind}`),
        );
      } catch (error) {
        // The thread has ended meanwhile.
        if (!isErrno(error, 'ENOENT', 'ESRCH')) throw error;
        return [];
      }
    });
    return [...new Set(links)].sort();
  }

  /** Every thread is in the main thread's namespaces, but for the moment in which one makes the next pod's ahead. */
  async function isBackOnNode(): Promise<void> {
    const all = (): string[] => namespacesOf(readdirSync('/proc/self/task'));
    const own = namespacesOf([process.pid]);
    let seen = all();
    for (let tries = 0; tries < 100 && !isDeepStrictEqual(seen, own); tries++) {
      await sleep(50);
      seen = all();
    }
    assert.deepEqual(seen, own);
  }

  /** The pids of all pauses that this process has started. */
  function children(): Set<string> {
    const of = (task: string): string => readFileSync(`/proc/self/task/${task}/children`, 'latin1');
    return new Set(readdirSync('/proc/self/task').flatMap((task) => of(task).match(/\d+/g) ?? []));
  }

  /** Children that this process did not have then: those of other suites in it may still come to their ends. */
  function newChildren(before: Set<string>): string[] {
    return [...children()].filter((pid) => !before.has(pid));
  }
});
