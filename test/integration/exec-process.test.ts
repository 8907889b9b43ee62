import assert from 'node:assert/strict';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { runPod, type ContainerConfig, type PodConfig } from '../pods.ts';
import { useNode } from '../use-node.ts';

const FOREVER = ['sleep', '100000'];
const NAMESPACES = { network: 0, pid: 1, ipc: 0 };
const SHARED_PID = { network: 0, pid: 0, ipc: 0 };

describe('the process of a command', function () {
  this.timeout(60_000);
  const suite = useNode();

  const text = async (container: string, cmd: string[]): Promise<string> => {
    const request = { containerId: container, cmd, timeout: 20 };
    const { stdout, stderr, exitCode } = await suite.node.client.call('ExecSync', request);
    assert.equal(exitCode, 0, Buffer.from(stderr).toString());
    return Buffer.from(stdout).toString();
  };

  const KINDS: Record<
    string,
    { linux: NonNullable<ContainerConfig['linux']>; pod?: PodConfig; more?: ContainerConfig }
  > = {
    'an ordinary one': {
      linux: { securityContext: { namespaceOptions: NAMESPACES, seccomp: { profileType: 0 } } },
    },
    'one of another user': {
      linux: {
        securityContext: {
          namespaceOptions: NAMESPACES,
          runAsUser: { value: 1000 },
          runAsGroup: { value: 1001 },
          supplementalGroups: [4242, 4243],
          seccomp: { profileType: 0 },
          noNewPrivs: true,
        },
      },
      more: { workingDir: '/tmp', envs: [{ key: 'TWO', value: Buffer.from('a\nb') }] },
    },
    'one with ambient capabilities': {
      linux: {
        securityContext: {
          namespaceOptions: NAMESPACES,
          runAsUser: { value: 1000 },
          capabilities: {
            addCapabilities: ['NET_ADMIN'],
            dropCapabilities: ['ALL'],
            addAmbientCapabilities: ['NET_BIND_SERVICE'],
          },
          seccomp: { profileType: 0 },
        },
      },
    },
    'a privileged one': {
      linux: { securityContext: { namespaceOptions: NAMESPACES, privileged: true } },
      pod: { linux: { securityContext: { namespaceOptions: NAMESPACES, privileged: true } } },
    },
    'one without a filter': {
      linux: { securityContext: { namespaceOptions: NAMESPACES, seccomp: { profileType: 1 } } },
    },
    'one that shares the PID namespace': {
      linux: { securityContext: { namespaceOptions: SHARED_PID, seccomp: { profileType: 0 } } },
      pod: { linux: { securityContext: { namespaceOptions: SHARED_PID } } },
    },
  };

  for (const [kind, { linux, pod, more }] of Object.entries(KINDS))
    it(`is what the runtime makes, in ${kind}`, async () => {
      const { node } = suite;
      const container: ContainerConfig = { ...more, linux: { resources: { oomScoreAdj: 500 }, ...linux } };
      const { container: joined } = await runPod(node, 'same', FOREVER, { handler: 'crun', container, pod });
      const facts = async (): Promise<Record<string, string>> => ({
        status: (await text(joined, ['cat', '/proc/self/status']))
          .split('\n')
          .filter((line) =>
            /^(Umask|.id|Groups|Sig[^Q]|Shd|Cap|NoNew|Seccomp|NSsid|NSpgid|Cpus|Mems)/.test(line),
          )
          // The command's own number is another one each time; it leads its session and its group.
          .map((line) => (/^(NSsid|NSpgid|NStgid|NSpid|Pid)/.test(line) ? line.replace(/\t.*/, '') : line))
          .join('\n'),
        // What the runtime takes in has a cgroup of its own below the container's.
        cgroup: (await text(joined, ['cat', '/proc/self/cgroup'])).replace(/\/berth-exec-\d+-\d+$/gm, ''),
        mounts: await text(joined, ['cat', '/proc/self/mountinfo']),
        limits: await text(joined, ['cat', '/proc/self/limits']),
        environment: (await text(joined, ['cat', '/proc/self/environ'])).replaceAll('\0', '\n'),
        directory: await text(joined, [
          'sh',
          '-c',
          'pwd; for i in cwd root exe; do readlink /proc/self/$i; done',
        ]),
        namespaces: await text(joined, ['sh', '-c', 'for i in /proc/self/ns/*; do readlink $i; done']),
        files: (await text(joined, ['ls', '/proc/self/fd'])).replaceAll('\n', ' '),
        personality: await text(joined, ['cat', '/proc/self/personality']),
        // Priority, niceness, and the scheduling policy.
        schedule: (await text(joined, ['cat', '/proc/self/stat']))
          .split(' ')
          .filter((_, i) => [17, 18, 39, 40].includes(i))
          .join(' '),
        output: await text(joined, ['sh', '-c', 'echo x >/dev/stdout; id']),
      });
      const inProcess = await facts();
      const restarted = await withRuntimeExec(facts);
      assert.deepEqual(inProcess, restarted);
      assert.equal(inProcess['files'], '0 1 2 3 ', 'ls itself has opened the fourth');
      assert.equal(await text(joined, ['cat', '/proc/self/oom_score_adj']), '500\n');
      assert.doesNotMatch(node.log, /could not be taken/);
      assert.equal(statSync('/dev/null').uid, 0);
      // The one thing that differs: its parent is in sight, a supervisor that has neither power nor files.
      const parent =
        'read a b c parent d </proc/self/stat; grep -E "^(Name|Cap...|PPid)" /proc/$parent/status';
      const supervisor = Object.fromEntries(
        (await text(joined, ['sh', '-c', parent]))
          .trim()
          .split('\n')
          .map((line) => line.split(':\t') as [string, string]),
      );
      assert.deepEqual(
        [
          supervisor['Name'],
          supervisor['PPid'],
          supervisor['CapEff'],
          supervisor['CapPrm'],
          supervisor['CapInh'],
        ],
        ['berth-exec', '0', ...Array<string>(3).fill('0'.repeat(16))],
      );
    });

  /** The same pods with the other way into them. */
  async function withRuntimeExec<T>(work: () => Promise<T>): Promise<T> {
    const dropIns = `${suite.node.configFile}.d`;
    mkdirSync(dropIns);
    writeFileSync(`${dropIns}/exec.toml`, '[runtime.handlers.crun]\nexec = "oci"\n');
    try {
      await suite.node.restart();
      return await work();
    } finally {
      rmSync(dropIns, { recursive: true });
      await suite.node.restart();
    }
  }
});
