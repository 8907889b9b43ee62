import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CAPABILITIES, DEFAULT_CAPABILITIES } from '../../pod/spec/capabilities.ts';
import { nodeFacts } from '../../pod/spec/node-facts.ts';
import { busyboxImage } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import {
  containerConfig,
  createContainer,
  podConfig,
  runPod,
  runSandbox,
  shell,
  statusOf,
  type ContainerConfig,
  type PodConfig,
  type RunningPod,
} from '../pods.ts';
import { assertRefused, type Refusal } from '../refusal.ts';
import { useNode } from '../use-node.ts';

type Security = NonNullable<NonNullable<ContainerConfig['linux']>['securityContext']>;

/** `CapBnd` and the like of /proc/self/status as names. */
function namesOf(mask: string): string[] {
  return CAPABILITIES.filter((_name, bit) => (BigInt(`0x${mask}`) >> BigInt(bit)) & 1n);
}

const OWN_PID = { namespaceOptions: { network: 0, pid: 1, ipc: 0 } };
const PRIVILEGED: PodConfig = { linux: { securityContext: { ...OWN_PID, privileged: true } } };
const bounding = nodeFacts().boundingCapabilities;
const inOrder = (names: readonly string[]): string[] =>
  CAPABILITIES.filter((name) => names.includes(name) && bounding.includes(name));

for (const handler of ['crun', 'runc'])
  describe(`security with ${handler}`, () => {
    const suite = useNode();
    const start = (securityContext: Security, changes: ContainerConfig = {}, pod?: PodConfig) =>
      runPod(suite.node, 'secure', ['sleep', '1000'], {
        handler,
        pod,
        container: { linux: { securityContext: { ...OWN_PID, ...securityContext } }, ...changes },
      });
    const inside = async (line: string, security: Security, changes?: ContainerConfig, pod?: PodConfig) =>
      shell(suite.node, (await start(security, changes, pod)).container, line);
    const refused = async (refusal: Refusal, security: Security, changes: ContainerConfig = {}) => {
      const pod = podConfig(suite.node, 'secure');
      const sandbox = await runSandbox(suite.node, pod, handler);
      const config = containerConfig('main', ['sleep', '1000'], {
        linux: { securityContext: { ...OWN_PID, ...security } },
        logPath: '',
        ...changes,
      });
      await assertRefused(suite.node, refusal, () => createContainer(sandbox, suite.node, config, pod));
    };
    /** The five sets of the container's first process, not of a command that joined it. */
    const capabilitiesOf = async (security: Security, pod?: PodConfig): Promise<Record<string, string[]>> => {
      const text = await inside("sed -n 's/^Cap\\(...\\):\\t/\\1 /p' /proc/1/status", security, {}, pod);
      return Object.fromEntries(
        text
          .trim()
          .split('\n')
          .map((line) => [line.slice(0, 3), namesOf(line.slice(4))]),
      );
    };

    describe('capabilities', () => {
      it('are the documented default', async () => {
        const sets = await capabilitiesOf({});
        assert.deepEqual(sets['Bnd'], inOrder(DEFAULT_CAPABILITIES));
        assert.deepEqual(sets['Eff'], sets['Bnd']);
        assert.deepEqual([sets['Inh'], sets['Amb']], [[], []]);
      });

      it('are added and dropped by name, in any spelling', async () => {
        const capabilities = { addCapabilities: ['net_admin', 'CAP_SYS_TIME'], dropCapabilities: ['Chown'] };
        const wanted = [
          ...DEFAULT_CAPABILITIES.filter((name) => name !== 'CAP_CHOWN'),
          'CAP_NET_ADMIN',
          'CAP_SYS_TIME',
        ];
        assert.deepEqual((await capabilitiesOf({ capabilities }))['Eff'], inOrder(wanted));
      });

      it('are all dropped but one, or all added but one', async () => {
        const one = { dropCapabilities: ['ALL'], addCapabilities: ['KILL'] };
        assert.deepEqual((await capabilitiesOf({ capabilities: one }))['Bnd'], ['CAP_KILL']);
        const most = { addCapabilities: ['ALL'], dropCapabilities: ['SYS_ADMIN'] };
        const wanted = CAPABILITIES.filter((name) => name !== 'CAP_SYS_ADMIN');
        assert.deepEqual((await capabilitiesOf({ capabilities: most }))['Bnd'], inOrder(wanted));
      });

      it('that are ambient reach a user other than root', async () => {
        const capabilities = { addAmbientCapabilities: ['NET_BIND_SERVICE'] };
        const sets = await capabilitiesOf({ capabilities, runAsUser: { value: 1000n } });
        assert.deepEqual(sets['Amb'], ['CAP_NET_BIND_SERVICE']);
        assert.deepEqual(sets['Eff'], ['CAP_NET_BIND_SERVICE']);
        const plain = await capabilitiesOf({ runAsUser: { value: 1000n } });
        assert.deepEqual([plain['Eff'], plain['Amb']], [[], []]);
      });

      it('are refused when there are none of the name', async () => {
        const says = /no capability "FLY"/;
        await refused({ code: 'INVALID_ARGUMENT', says }, { capabilities: { addCapabilities: ['FLY'] } });
        await refused({ code: 'INVALID_ARGUMENT', says }, { capabilities: { dropCapabilities: ['FLY'] } });
      });
    });

    it('a privileged container has all that the daemon has, and the node’s devices', async () => {
      const { container } = await start({ privileged: true, maskedPaths: ['/proc/keys'] }, {}, PRIVILEGED);
      const { node } = suite;
      const mask = (await shell(node, container, "sed -n 's/^CapEff:\\t//p' /proc/1/status")).trim();
      assert.deepEqual(namesOf(mask), inOrder(CAPABILITIES));
      await shell(node, container, 'test -c /dev/fuse && test -b /dev/loop0 && true < /dev/fuse');
      await shell(
        node,
        container,
        'mount -t tmpfs x /mnt 2>/dev/null || { mkdir -p /mnt && mount -t tmpfs x /mnt; }',
      );
      assert.match(await shell(node, container, 'grep " /sys sysfs " /proc/mounts'), /sysfs rw,/);
      assert.match(await shell(node, container, 'grep Seccomp: /proc/1/status'), /\t0\n/);
      await shell(node, container, 'test -s /proc/keys || true; ! grep -q " /proc/keys " /proc/mounts');
    });

    it('a privileged container needs a privileged sandbox', async () => {
      await refused({ code: 'INVALID_ARGUMENT', says: /privileged sandbox/ }, { privileged: true });
    });

    it('no_new_privs is set when it is asked for', async () => {
      assert.match(await inside('grep NoNewPrivs /proc/1/status', { noNewPrivs: true }), /\t1\n/);
      assert.match(await inside('grep NoNewPrivs /proc/1/status', {}), /\t0\n/);
    });

    describe('user and groups', () => {
      const idOf = async (security: Security): Promise<[string, RunningPod]> => {
        const pod = await start(security);
        const line = "sed -n 's/^\\(Uid\\|Gid\\|Groups\\):[\\t ]*//p' /proc/1/status";
        const [uid, gid, groups] = (await shell(suite.node, pod.container, line)).split('\n');
        return [`${uid!.split('\t')[0]} ${gid!.split('\t')[0]} ${groups!.trim()}`, pod];
      };
      const reported = async ({ container }: RunningPod): Promise<[bigint, bigint, bigint[]]> => {
        const linux = (await statusOf(suite.node, container)).user?.linux;
        assert.ok(linux);
        return [linux.uid, linux.gid, linux.supplementalGroups];
      };

      it('come by number, and the status reports them', async () => {
        const [found, pod] = await idOf({
          runAsUser: { value: 1000n },
          runAsGroup: { value: 33n },
          supplementalGroups: [5000n],
        });
        // Alice is in staff and audio of the image's /etc/group.
        assert.equal(found, '1000 33 29 33 50 5000');
        assert.deepEqual(await reported(pod), [1000n, 33n, [29n, 33n, 50n, 5000n]]);
      });

      it('come without the image’s groups when the policy is Strict', async () => {
        const [found, pod] = await idOf({
          runAsUser: { value: 1000n },
          supplementalGroups: [5000n],
          supplementalGroupsPolicy: 1,
        });
        assert.equal(found, '1000 1000 1000 5000');
        assert.deepEqual(await reported(pod), [1000n, 1000n, [1000n, 5000n]]);
      });

      it('come by name, with a group', async () => {
        const [found] = await idOf({ runAsUsername: 'bob', runAsGroup: { value: 7n } });
        assert.equal(found, '1001 7 7 50');
        const [plain] = await idOf({ runAsUsername: 'alice' });
        assert.equal(plain, '1000 1000 29 50 1000');
      });

      it('that nobody knows by name, and groups without a user, are refused', async () => {
        const code = 'INVALID_ARGUMENT';
        await refused({ code, says: /user "nosuchuser"/ }, { runAsUsername: 'nosuchuser' });
        await refused({ code, says: /runAsGroup/ }, { runAsGroup: { value: 5n } });
        await refused({ code, says: /runAsUser/ }, { runAsUser: { value: -1n } });
      });

      it('are read inside of the image, whatever its files are links to', async () => {
        const { library, node } = suite;
        const { layers, config } = busyboxImage();
        const files = layers[0]!.files.filter(({ path }) => path !== 'etc/passwd' && path !== 'etc/group');
        // The node knows root and daemon; the image knows nobody.
        const up = '../'.repeat(12);
        await library.push('linked:1', {
          layers: [
            {
              files: [
                ...files,
                { path: 'etc/passwd', type: 'symlink', link: `${up}etc/passwd` },
                { path: 'etc/group', type: 'symlink', link: '/proc/self/root/etc/group' },
              ],
            },
          ],
          config: { ...config, Env: ['HOME=/x\nevil:x:0:0::/:/bin/sh'] },
        });
        const image = { image: `${ImageLibrary.address}/linked:1` };
        await node.client.call('PullImage', { image });
        await suite.retake();
        const before = readFileSync('/etc/passwd');
        await refused(
          { code: 'INVALID_ARGUMENT', says: /user "daemon"/ },
          { runAsUsername: 'daemon' },
          { image },
        );
        await start(
          { runAsUser: { value: 4711n } },
          { image, envs: [{ key: 'PATH', value: Buffer.from('/bin') }] },
        );
        assert.deepEqual(readFileSync('/etc/passwd'), before);
        await node.client.call('RemoveImage', { image });
        await suite.retake();
      });
    });

    describe('system call filters', () => {
      const profile = (name: string): Security => ({
        seccomp: { profileType: 2, localhostRef: join(suite.node.directory, name) },
      });
      const filter = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }],
      };

      it('are the default, none, or a file of the node', async () => {
        const mode = 'grep Seccomp: /proc/1/status; mkdir /tmp/made 2>&1 || true';
        assert.match(await inside(mode, { seccomp: { profileType: 0 } }), /^Seccomp:\t2\n$/);
        assert.match(await inside(mode, { seccomp: { profileType: 1 } }), /^Seccomp:\t0\n$/);
        const root = '/var/lib/kubelet/seccomp';
        await suite.node.exec([
          'sh',
          '-c',
          `mkdir -p ${root}; printf '%s' '${JSON.stringify(filter)}' > ${root}/own.json`,
        ]);
        await suite.retake();
        const local = { seccomp: { profileType: 2, localhostRef: `${root}/own.json` } };
        assert.match(await inside(mode, local), /^Seccomp:\t2\n.*Permission denied/);
        assert.match(
          await inside(mode, { seccompProfilePath: `localhost/${root}/own.json` }),
          /Permission denied/,
        );
      });

      it('that lie elsewhere or are none are refused', async () => {
        writeFileSync(join(suite.node.directory, 'own.json'), JSON.stringify(filter));
        await refused({ code: 'INVALID_ARGUMENT', says: /does not lie in/ }, profile('own.json'));
      });
    });

    describe('AppArmor and SELinux, which this kernel may not have', () => {
      const notes = async ({ container }: RunningPod): Promise<string> => {
        const { info } = await suite.node.client.call('ContainerStatus', {
          containerId: container,
          verbose: true,
        });
        return JSON.stringify(info);
      };

      it('a profile is skipped with a note where the kernel has no AppArmor; the newer field wins', async function () {
        if (nodeFacts().apparmor) return;
        const pod = await start({
          apparmor: { profileType: 2, localhostRef: 'new' },
          apparmorProfile: 'localhost/old',
        });
        assert.match(await notes(pod), /AppArmor profile new .*kernel/);
        assert.doesNotMatch(await notes(await start({ apparmor: { profileType: 0 } })), /AppArmor/);
      });

      it('labels are skipped with a note where SELinux is off, and bad ones refused everywhere', async () => {
        const selinuxOptions = { user: 'system_u', role: 'system_r', type: 'spc_t', level: 's0:c1,c2' };
        assert.match(await notes(await start({ selinuxOptions })), /SELinux/);
        assert.doesNotMatch(await notes(await start({ selinuxOptions: {} })), /SELinux/);
        const code = 'INVALID_ARGUMENT';
        await refused({ code, says: /SELinux level/ }, { selinuxOptions: { level: 'high' } });
        await refused({ code, says: /SELinux type/ }, { selinuxOptions: { type: 'a:b' } });
      });
    });

    describe('the root and the paths of the kernel', () => {
      it('can be read-only', async () => {
        await inside('! touch /x 2>/dev/null; touch /dev/shm/x', { readonlyRootfs: true });
      });

      it('are masked and read-only where the caller says so', async () => {
        const security = {
          maskedPaths: ['/proc/version', '/sys/kernel', '/absent'],
          readonlyPaths: ['/proc/sys'],
        };
        const { container } = await start(security);
        assert.equal(await shell(suite.node, container, 'cat /proc/version; ls /sys/kernel'), '');
        await shell(suite.node, container, '! sh -c "echo 1 > /proc/sys/kernel/msgmax" 2>/dev/null');
        const open = await start({ maskedPaths: [], readonlyPaths: [] });
        assert.match(await shell(suite.node, open.container, 'cat /proc/version'), /Linux/);
      });
    });

    describe('devices', () => {
      const device = (hostPath: string, containerPath: string, permissions: string): ContainerConfig => ({
        devices: [{ hostPath, containerPath, permissions }],
      });

      it('are made with the permissions asked for, and no others can be used', async () => {
        const { container } = await start({}, device('/dev/fuse', '/dev/mine', 'r'));
        const { node } = suite;
        await shell(node, container, 'true < /dev/mine; ! sh -c ": > /dev/mine" 2>/dev/null');
        await shell(node, container, 'mknod /tmp/loop b 7 0; ! dd if=/tmp/loop count=0 2>/dev/null');
      });

      it('of a directory come all, under the container’s path', async () => {
        const { container } = await start({}, device('/dev/cpu', '/dev/processors', 'r'));
        const [here, there] = [
          await suite.node.exec(['sh', '-c', 'cd /dev/cpu && find . -type c | sort']),
          await shell(
            suite.node,
            container,
            'cd /dev/processors 2>/dev/null && find . -type c | sort || true',
          ),
        ];
        assert.notEqual(here, '', 'this machine has none to compare');
        assert.equal(there, here);
      });

      it('that the node does not have are refused', async () => {
        const code = 'INVALID_ARGUMENT';
        await refused({ code, says: /no such device/ }, {}, device('/dev/absent', '/dev/x', 'r'));
        await refused({ code, says: /below \/dev/ }, {}, device('/etc/passwd', '/dev/x', 'r'));
      });
    });

    it('a sandbox is refused when its filter is a file that is not there', async () => {
      const seccomp = { profileType: 2, localhostRef: '/var/lib/kubelet/seccomp/absent.json' };
      const config = podConfig(suite.node, 'filter', { linux: { securityContext: { ...OWN_PID, seccomp } } });
      await assertRefused(suite.node, { code: 'INVALID_ARGUMENT', says: /no such file/ }, () =>
        runSandbox(suite.node, config, handler),
      );
    });

    describe('sysctls', () => {
      const pod = (sysctls: Record<string, string>): PodConfig => ({
        linux: { sysctls, securityContext: OWN_PID },
      });

      it('of the pod’s own namespaces are set, in both spellings', async () => {
        const sysctls = {
          'net.ipv4.ip_local_port_range': '2000 3000',
          'net/ipv4/ip_unprivileged_port_start': '80',
          'kernel.msgmax': '9000',
          'fs.mqueue.msg_max': '11',
        };
        const line =
          'cd /proc/sys; cat net/ipv4/ip_local_port_range net/ipv4/ip_unprivileged_port_start kernel/msgmax fs/mqueue/msg_max';
        assert.equal(await inside(line, {}, {}, pod(sysctls)), '2000\t3000\n80\n9000\n11\n');
      });

      it('of the node are refused', async () => {
        const code = 'INVALID_ARGUMENT';
        for (const name of ['vm.swappiness', 'kernel.hostname', 'fs.file-max', 'net.../x'])
          await assertRefused(suite.node, { code, says: /sysctl/ }, () =>
            runSandbox(suite.node, podConfig(suite.node, 'sysctl', pod({ [name]: '1' })), handler),
          );
        const own: PodConfig = {
          linux: {
            sysctls: { 'net.core.somaxconn': '9' },
            securityContext: { namespaceOptions: { network: 2 } },
          },
        };
        await assertRefused(suite.node, { code, says: /pod uses the node's/ }, () =>
          runSandbox(suite.node, podConfig(suite.node, 'sysctl', own), handler),
        );
      });
    });

    it('the files of the pod are there, and writable unless the root is not', async () => {
      const line = 'cat /etc/hostname; grep -c nameserver /etc/resolv.conf; grep -c localhost /etc/hosts';
      assert.equal(await inside(`${line}; echo x >> /etc/hosts`, {}), 'secure\n1\n2\n');
      await inside('! sh -c "echo x >> /etc/hosts" 2>/dev/null', { readonlyRootfs: true });
    });
  });

describe('limits of processes', () => {
  const suite = useNode({ config: { runtime: { default_ulimits: ['nofile=512:1024', 'core=0'] } } });

  for (const handler of ['crun', 'runc'])
    it(`are those of the configuration, for commands too, with ${handler}`, async () => {
      const { node } = suite;
      const { container } = await runPod(node, 'limits', ['sleep', '1000'], { handler });
      const line = (process: string): Promise<string> =>
        shell(
          node,
          container,
          `sed -n 's/^Max \\(open files\\|core file size\\) *//p' /proc/${process}/limits`,
        );
      for (const process of ['1', 'self'])
        assert.equal((await line(process)).replace(/ +/g, ' '), '0 0 bytes \n512 1024 files \n', process);
    });
});
