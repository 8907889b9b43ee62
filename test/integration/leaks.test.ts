import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RecordStore } from '../../ground/records.ts';
import {
  assertNoLeaks,
  findLeaks,
  LEAK_KINDS,
  takeCensus,
  type Census,
  type CensusSubject,
  type LeakKind,
} from '../leaks.ts';
import { cgroupHierarchies } from '../node-space.ts';
import { TestNode } from '../node.ts';

/** Mocha's `before`, whose name is taken by the census here. */
const setUp = globalThis.before;

/** Plants one leak and gives back how to take it away again. */
type Plant = () => Promise<() => unknown>;

describe('the leak checker', () => {
  let node: TestNode;
  let store: RecordStore;
  let before: Census;
  /** Stands in for the daemon: it opens a file when it is told to. */
  let daemon: ChildProcess;
  let subject: CensusSubject;

  const inside = (argv: string[]): ChildProcess => {
    const [file, ...rest] = node.space.inside(argv);
    return spawn(file!, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  };
  const tell = async (line: string): Promise<void> => {
    const answered = new Promise((resolve) => daemon.stdout!.once('data', resolve));
    daemon.stdin!.write(`${line}\necho done\n`);
    await answered;
  };

  setUp(async () => {
    node = await TestNode.make();
    store = new RecordStore(join(node.root, 'berth.db'));
    daemon = inside(['sh']);
    await tell(':');
    const { directory, cgroupParent, holder, space, root, state } = node;
    subject = { directory, cgroupParent, holder, space, root, state, daemonPid: daemon.pid };
    before = await takeCensus(subject);
  });
  after(async () => {
    daemon?.kill('SIGKILL');
    store?.close();
    await node?.destroy();
  });

  const planted: Record<LeakKind, [string, Plant][]> = {
    namespaces: [
      [
        'a pinned network namespace',
        async () => {
          const pin = join(node.state, 'pin');
          writeFileSync(pin, '');
          await node.exec(['unshare', `--net=${pin}`, 'true']);
          return async () => {
            await node.exec(['umount', pin]);
            rmSync(pin);
          };
        },
      ],
      [
        'a namespace that only a process holds',
        async () => {
          const holder = inside(['unshare', '--uts', 'cat']);
          await new Promise((resolve) => setTimeout(resolve, 100));
          return () => ended(holder);
        },
      ],
    ],
    mounts: [
      [
        'a mount',
        async () => {
          await node.exec(['mount', '-t', 'tmpfs', 'x', node.logs]);
          return () => node.exec(['umount', node.logs]);
        },
      ],
    ],
    cgroups: cgroupHierarchies().map((hierarchy): [string, Plant] => [
      `a cgroup in ${hierarchy}`,
      async () => {
        const path = join(hierarchy, node.cgroupParent, 'kubepods/leak');
        mkdirSync(path, { recursive: true });
        return () => rmdirSync(path);
      },
    ]),
    links: [
      [
        'a virtual cable',
        async () => {
          await node.exec(['ip', 'link', 'add', 'vleak', 'type', 'veth', 'peer', 'name', 'vpeer']);
          return () => node.exec(['ip', 'link', 'del', 'vleak']);
        },
      ],
    ],
    addresses: [
      [
        'an address',
        async () => {
          await node.exec(['ip', 'address', 'add', '10.99.0.1/24', 'dev', 'lo']);
          return () => node.exec(['ip', 'address', 'del', '10.99.0.1/24', 'dev', 'lo']);
        },
      ],
    ],
    routes: [
      [
        'a route',
        async () => {
          await node.exec(['ip', 'route', 'add', 'blackhole', '10.98.0.0/24']);
          return () => node.exec(['ip', 'route', 'del', 'blackhole', '10.98.0.0/24']);
        },
      ],
    ],
    rules: [
      [
        'a rule',
        async () => {
          const rule = ['PREROUTING', '-p', 'tcp', '--dport', '8080', '-j', 'DNAT', '--to', '10.88.0.9:80'];
          await node.exec(['iptables', '-t', 'nat', '-A', ...rule]);
          return () => node.exec(['iptables', '-t', 'nat', '-D', ...rule]);
        },
      ],
      [
        'an empty chain',
        async () => {
          await node.exec(['iptables', '-N', 'LEAK']);
          return () => node.exec(['iptables', '-X', 'LEAK']);
        },
      ],
      [
        'an element of a set of nf_tables',
        async () => {
          const nft = async (...words: string[]): Promise<string> => await node.exec(['nft', ...words]);
          await nft('add table ip leak; add set ip leak ports { type inet_service; elements = { 80 }; }');
          return () => nft('delete', 'table', 'ip', 'leak');
        },
      ],
    ],
    processes: [
      [
        'a process in the namespaces',
        async () => {
          const child = inside(['cat']);
          await new Promise((resolve) => setTimeout(resolve, 100));
          return () => ended(child);
        },
      ],
      [
        'a process elsewhere that sits in the cgroup',
        async () => {
          const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
          const cgroup = join(cgroupHierarchies()[0]!, node.cgroupParent, 'node');
          mkdirSync(cgroup, { recursive: true });
          writeFileSync(join(cgroup, 'cgroup.procs'), String(child.pid));
          return () => ended(child);
        },
      ],
      [
        'a process elsewhere that knows the directory',
        async () => {
          const child = spawn('cat', {
            stdio: ['pipe', 'ignore', 'ignore'],
            env: { X: `${node.directory}/state` },
          });
          await new Promise((resolve) => setTimeout(resolve, 50));
          return () => ended(child);
        },
      ],
    ],
    descriptors: [
      [
        'an open file of the daemon',
        async () => {
          await tell('exec 7</etc/passwd');
          return () => tell('exec 7<&-');
        },
      ],
    ],
    records: [
      [
        'a record',
        async () => {
          store.table('sandbox').put('leak', {});
          return () => store.table('sandbox').delete('leak');
        },
      ],
    ],
    directories: [
      [
        'a directory in root',
        async () => {
          mkdirSync(join(node.root, 'snapshots/leak'), { recursive: true });
          return () => rmSync(join(node.root, 'snapshots'), { recursive: true });
        },
      ],
      [
        'a file beside the records that is not one of theirs',
        async () => {
          writeFileSync(join(node.root, 'berth.db.reserve-3'), '');
          return () => rmSync(join(node.root, 'berth.db.reserve-3'));
        },
      ],
      [
        'a file in state',
        async () => {
          writeFileSync(join(node.state, 'leak'), '');
          return () => rmSync(join(node.state, 'leak'));
        },
      ],
      [
        "a plugin's file in /var/lib",
        async () => {
          await node.exec(['mkdir', '-p', '/var/lib/leak']);
          return () => node.exec(['rmdir', '/var/lib/leak']);
        },
      ],
    ],
  };

  it('finds nothing where nothing is', async () => {
    await assertNoLeaks(subject, before, 0);
  });

  for (const kind of LEAK_KINDS)
    for (const [what, plant] of planted[kind])
      it(`finds ${what}`, async () => {
        const takeAway = await plant();
        try {
          const leaks = findLeaks(before, await takeCensus(subject));
          assert.ok(
            leaks.some((leak) => leak.startsWith(`${kind}: `)),
            `Found only: ${leaks.join('; ') || 'nothing'}`,
          );
          await assert.rejects(assertNoLeaks(subject, before, 0), /Left behind/);
        } finally {
          await takeAway();
        }
        await assertNoLeaks(subject, before, 1000);
      });

  it('finds a second descriptor of a kind of which one was there', async () => {
    const twice = { ...before, descriptors: [...before.descriptors, 'socket', 'socket'] };
    const once = { ...before, descriptors: [...before.descriptors, 'socket'] };
    assert.deepEqual(findLeaks(once, twice), ['descriptors: socket']);
  });

  it('takes what a daemon makes for itself for no leak, whenever it made it', () => {
    const own = (count: number, ...descriptors: string[]): Census => ({
      ...before,
      descriptors: [...before.descriptors, ...descriptors],
      namespaces: [
        ...before.namespaces,
        ...Array.from({ length: count }, () =>
          ['ipc', 'mnt', 'net', 'uts'].map((kind) => `${kind} in a descriptor of the daemon`),
        ).flat(),
      ],
    });
    assert.deepEqual(findLeaks(own(0), own(1, '/dev/null')), []);
    assert.deepEqual(findLeaks(own(1), own(1)), []);
    assert.deepEqual(findLeaks(own(1), own(1, '/dev/null')), ['descriptors: /dev/null']);
    for (const early of [0, 1]) assert.equal(findLeaks(own(early), own(2)).length, 4);
  });

  it('gives a late undo time to settle', async () => {
    const path = join(node.state, 'late');
    writeFileSync(path, '');
    setTimeout(() => rmSync(path), 300);
    await assertNoLeaks(subject, before);
  });
});

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}
