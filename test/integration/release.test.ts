import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { load } from 'js-yaml';
import { BASE_PACKAGES } from '../../deploy/dist/container-image.ts';
import { arm64Files, debianRoot, inRoot, SUITES, type Suite } from '../debian-root.ts';
import { helm } from '../helm.ts';
import { removeCgroups } from '../node-space.ts';
import { eventually, readLog, runPod, waitForExit, wholeLines, type ContainerConfig } from '../pods.ts';
import { useNode } from '../use-node.ts';

const run = promisify(execFile);
const REPOSITORY = join(import.meta.dirname, '../..');
/** For what is built once: roots from a mirror, the release itself. Far more than it takes. */
const BUILD_LIMIT_MS = 900_000;

/** Seen from all namespaces. */
const CGROUP = `/berth-release-${process.pid}`;

const SERVE = `cat >/tmp/berth.toml <<END
root = "/var/lib/berth"
state = "/run/berth"
[runtime]
cgroup_driver = "cgroupfs"
cgroup_parent = "${CGROUP}"
[network]
pod_cidr = "10.86.0.0/24"
END
`;

describe('the release', () => {
  let directory: string;
  let archive: string;
  let arm64Archive: string;
  let version: string;
  const roots = new Map<Suite, string>();

  before(async function () {
    this.timeout(BUILD_LIMIT_MS);
    directory = mkdtempSync(join(tmpdir(), 'berth-release-'));
    ({ version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string });
    archive = `berth-${version}-linux-x64.tar.gz`;
    arm64Archive = `berth-${version}-linux-arm64.tar.gz`;
    await Promise.all([
      run(process.execPath, ['deploy/dist/dist.ts', '--arch', 'x64,arm64', '--out', directory], {
        cwd: REPOSITORY,
      }),
      ...SUITES.map(async (suite) => roots.set(suite, await debianRoot(suite))),
    ]);
  });

  after(() => {
    rmSync(directory, { recursive: true, force: true });
    assert.deepEqual(removeCgroups(CGROUP), []);
  });

  const inside = (suite: Suite, script: string): Promise<string> =>
    inRoot(roots.get(suite)!, directory, script);

  it('is tarballs and a container image with their hashes', async () => {
    const sums = await run('sha256sum', ['--check', 'SHA256SUMS'], { cwd: directory });
    assert.equal(sums.stdout, `${archive}: OK\nberth-${version}-image-amd64.tar: OK\n${arm64Archive}: OK\n`);
    const { stdout } = await run('tar', ['-tzf', join(directory, archive)]);
    const files = stdout.split('\n');
    for (const file of [
      'bin/berth',
      'lib/berth/node',
      'lib/berth/berth.js',
      'lib/berth/load.cjs',
      'lib/berth/native/koffi.node',
      'lib/berth/web/page.html',
      'lib/systemd/system/berth.service',
      'share/berth/berth.toml',
      'share/man/man8/berth.8',
      'share/bash-completion/completions/berth',
      'share/zsh/site-functions/_berth',
      'share/fish/vendor_completions.d/berth.fish',
      'share/doc/berth/README.md',
      'share/doc/berth/LICENSE',
      'share/doc/berth/THIRD-PARTY-LICENSES.txt',
    ])
      assert.ok(files.includes(`./${file}`), file);
    for (const compiled of [/^\.\/lib\/berth\/cache\/berth-[0-9a-f]+\.code$/, /\/cache\/v[^/]+\/[0-9a-f]+$/])
      assert.ok(
        files.some((file) => compiled.test(file)),
        `compiled code: ${compiled}`,
      );
    const readable = await run('tar', ['-tvzf', join(directory, archive)]);
    assert.doesNotMatch(readable.stdout, /^-[rwx-]{6}-/m, 'every file is readable by everybody');
  });

  for (const suite of SUITES) {
    it(`runs pods on a Debian ${suite} without npm, compiler and Node, below any prefix`, async () => {
      const output = await inside(
        suite,
        `for tool in npm node gcc cc; do if command -v $tool; then exit 9; fi; done
        mkdir '/opt/a prefix' && tar -C '/opt/a prefix' -xzf /release/${archive}
        ln -s '/opt/a prefix/bin/berth' /usr/bin/berth-by-link
        berth-by-link --version
        berth-by-link demo 2>&1`,
      );
      assert.ok(output.startsWith(`${version}\n`), output);
      assert.match(output, /answer +HTTP\/1\.1 200 OK/);
      assert.match(output, /cgroups( +\d+){3} {2}as before$/m);
      assert.match(output, /the node +gone as well/);
    });

    it(`serves on a Debian ${suite} from /usr/local: status, doctor, configuration, CNI plugins, man page`, async () => {
      const output = await inside(
        suite,
        `tar -C /usr/local -xzf /release/${archive}
        mount --bind -o ro /usr/local /usr/local
        ${SERVE}
        berth config check --config /usr/local/share/berth/berth.toml
        berth serve --config /tmp/berth.toml >/tmp/log 2>&1 & daemon=$!
        until berth status --config /tmp/berth.toml 2>/dev/null; do
          kill -0 $daemon || { cat /tmp/log; exit 8; }
          sleep 0.1
        done
        berth doctor --config /tmp/berth.toml
        berth image list --config /tmp/berth.toml
        /usr/local/lib/berth/node -e 'fetch("http://127.0.0.1:9464/main.js").then(async (r) => console.log("page", r.status, (await r.text()).length > 1000))'
        berth cni install /opt/cni/bin
        echo '{"cniVersion":"1.0.0"}' | CNI_COMMAND=VERSION /opt/cni/bin/bridge
        kill $daemon && wait $daemon && echo ended with $?
        test -s /usr/local/share/man/man8/berth.8
        grep -c level /tmp/log`,
      );
      assert.match(output, /^Sound: \/usr\/local\/share\/berth\/berth.toml$/m);
      assert.match(output, /^ok +handler crun \(crun version [\d.]+/m);
      assert.match(output, /^ok +conmon/m);
      assert.match(output, /^page 200 true$/m);
      assert.match(output, /"supportedVersions": ?\[/);
      assert.match(output, /^ended with 0$/m);
    });
  }

  it('runs on arm64, as far as emulation goes: command line, configuration, children; and makes no pods', async function () {
    this.timeout(300_000);
    const libraries = await arm64Files(BASE_PACKAGES);
    const prefix = join(directory, 'arm64');
    mkdirSync(prefix);
    await run('tar', ['-C', prefix, '-xzf', join(directory, arm64Archive)]);
    const home = join(prefix, 'lib/berth');
    assert.match(readFileSync(join(prefix, 'bin/berth'), 'utf8'), /\/usr\/lib\/aarch64-linux-gnu\//);
    // What the kernel would do where arm64 programs are registered with it: each start goes through the emulator.
    renameSync(join(home, 'node'), join(home, 'node.arm64'));
    const emulated = `#!/bin/sh\nexec qemu-aarch64-static -L '${libraries}' '${home}/node.arm64' "$@"\n`;
    writeFileSync(join(home, 'node'), emulated, { mode: 0o755 });
    const output = async (program: string, ...argv: string[]): Promise<string> =>
      (await run(program, argv, { timeout: 120_000 })).stdout;
    const arm64 = join(prefix, 'bin/berth');
    assert.equal(await output(arm64, '--version'), `${version}\n`);
    for (const argv of [['--help'], ['check', '--help'], ['config', 'default']])
      assert.equal(await output(arm64, ...argv), await output(join(REPOSITORY, 'bin/berth'), ...argv));
    const libc = `const koffi = { exports: {} };
      process.dlopen(koffi, '${home}/native/koffi.node');
      const uname = koffi.exports.load('libc.so.6').func('int uname(void *)');
      const names = Buffer.alloc(6 * 65);
      console.log(uname(names), names.toString('latin1', 4 * 65).split('\\0')[0]);`;
    assert.equal(await output(join(home, 'node'), '-e', libc), '0 aarch64\n');
    await assert.rejects(output(arm64, 'serve'), /Berth makes pods on x86-64 only; this machine is arm64/);
    // It starts programs, and waits for their ends.
    await assert.rejects(
      output(arm64, 'doctor'),
      ({ stdout, stderr }: { stdout: string; stderr: string }) => {
        assert.match(stdout, /^MISSING {2}machine \(.* this machine is arm64\)$/m);
        assert.match(stdout, /^ok {5} {2}conmon \(/m);
        return /things are missing/.test(stderr);
      },
    );
  });

  it('says on a node that lacks something what to install', async () => {
    const output = await inside(
      'bookworm',
      `tar -C /usr/local -xzf /release/${archive}
      rm /usr/bin/crun /usr/sbin/runc /usr/bin/conmon
      if berth doctor; then exit 7; fi
      rm /usr/lib/x86_64-linux-gnu/libatomic.so.1*
      if berth --version 2>&1; then exit 6; fi`,
    );
    assert.match(output, /^MISSING +conmon.*: apt-get install conmon$/m);
    assert.match(output, /crun.*: apt-get install crun$/m);
    assert.match(output, /^berth: Node needs the library libatomic\.so\.1: apt-get install libatomic1$/m);
  });

  it('starts from compiled code where nothing can be written', async () => {
    const output = await inside(
      'bookworm',
      `mkdir /opt/other && tar -C /opt/other -xzf /release/${archive} && mount --bind -o ro /opt/other /opt/other
      NODE_DEBUG=berth /opt/other/bin/berth --version 2>&1`,
    );
    assert.match(output, /\/opt\/other\/lib\/berth\/cache\/berth-[0-9a-f]+\.code is taken$/m);
    assert.match(output, /^\d+\.\d+\.\d+$/m);
  });

  it('makes compiled code anew where there is none, or what there is was damaged', async () => {
    const output = await inside(
      'bookworm',
      `tar -C /usr/local -xzf /release/${archive}
      ${SERVE}
      export NODE_DEBUG=berth
      code=$(echo /usr/local/lib/berth/cache/berth-*.code)
      printf x | dd of="$code" bs=1 seek=100000 conv=notrunc status=none
      berth --version 2>&1
      berth serve --config /tmp/berth.toml >/tmp/log 2>&1 & daemon=$!
      # Nobody has asked for them.
      for try in $(seq 300); do grep -q 'The runtime handlers are known' /tmp/log && break; sleep 0.1; done
      grep -o 'The runtime handlers are known' /tmp/log
      kill $daemon && wait $daemon
      grep 'code is written' /tmp/log
      berth --version 2>&1`,
    );
    assert.match(output, /\.code is missing or damaged\n\d+\.\d+\.\d+$/m);
    assert.match(output, /^The runtime handlers are known$/m);
    assert.match(output, /\.code is written$/m);
    assert.match(output, /\.code is taken\n\d+\.\d+\.\d+$/m);
  });

  it('is a container image that skopeo reads, as an OCI layout and as a docker archive', async () => {
    const name = `berth-${version}-image-amd64`;
    for (const source of [`oci:${name}.oci:${version}`, `docker-archive:${name}.tar`]) {
      const { stdout } = await run('skopeo', ['inspect', source], { cwd: directory });
      const { Architecture, Layers, Labels } = JSON.parse(stdout) as {
        Architecture: string;
        Layers: string[];
        Labels: Record<string, string>;
      };
      assert.equal(Architecture, 'amd64');
      assert.equal(Layers.length, 2);
      assert.equal(Labels['org.opencontainers.image.version'], version);
    }
  });

  describe('in a container', () => {
    const suite = useNode({ image: false });
    const image = (): { image: string } => ({ image: `docker.io/library/berth:${version}` });

    before(async () => {
      const file = readdirSync(directory).find((name) => name.endsWith('-image-amd64.tar'))!;
      await suite.node.berth('image', 'load', join(directory, file));
      await suite.retake();
    });

    /** Runs a container of the image to its end; resolves with its exit code and what it wrote. */
    async function ofContainer(name: string, args: string[], changes: ContainerConfig = {}): Promise<string> {
      const { node } = suite;
      const run = await runPod(node, name, [], { container: { image: image(), args, ...changes } });
      const { exitCode } = await waitForExit(node, run.container, 30_000);
      const log = readLog(join(run.pod.logDirectory!, run.config.logPath!));
      const output = wholeLines(log).map((line) => `${line}\n`);
      return `${exitCode}\n${output.join('')}`;
    }

    it('runs: berth image load takes the image, its entry is the command line', async () => {
      assert.equal(await ofContainer('version', ['--version']), `0\n${version}\n`);
      const { stdout: help } = await run(join(REPOSITORY, 'bin/berth'), ['--help']);
      assert.equal(await ofContainer('help', ['--help']), `0\n${help}`);
      assert.equal(await ofContainer('nothing', []), `0\n${help}`, 'what it does when nobody says what');
      assert.match(await ofContainer('mistake', ['nothing']), /^1\nerror: unknown command 'nothing'/);
    });

    it('sees the node that is mounted as an installer sees it', async () => {
      const host = join(suite.node.directory, 'host');
      mkdirSync(host);
      const mounts = [{ containerPath: '/host', hostPath: host }];
      const status = await ofContainer('status', ['node', 'status', '--host', '/host'], { mounts });
      assert.match(status, /^0\nrelease +none\n/);
      const settings = { containerPath: '/settings', hostPath: host, readonly: true };
      writeFileSync(join(host, 'settings.json'), '{}');
      const argv = ['node', 'install', '--host', '/host', '--settings', '/settings/settings.json'];
      const install = await ofContainer('install', argv, { mounts: [...mounts, settings] });
      assert.match(install, /^1\n.*\/host is not the \/ of process 1; .*hostPID: true/);
      assert.deepEqual(readdirSync(host), ['settings.json'], 'a refused installation writes nothing');
    });

    it("runs as the DaemonSet's pod does: the agent, asked by its probes", async () => {
      const { node } = suite;
      const { args, command, readinessProbe } = await agentOfChart();
      assert.equal(command, undefined, "the image's entry");
      const account = join(node.directory, 'account');
      mkdirSync(account);
      // A certificate authority that nobody has: the API server is away.
      for (const name of ['token', 'ca.crt']) writeFileSync(join(account, name), '');
      const env = { NODE_NAME: 'node-1', KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' };
      const tmp = join(node.directory, 'agent-tmp');
      mkdirSync(tmp);
      const namespaceOptions = { network: 2, pid: 2, ipc: 0 };
      const { container } = await runPod(node, 'agent', [], {
        pod: { linux: { securityContext: { namespaceOptions } } },
        container: {
          image: image(),
          args,
          envs: Object.entries(env).map(([key, value]) => ({ key, value: Buffer.from(value) })),
          mounts: [
            { containerPath: '/run/berth', hostPath: dirname(node.socket) },
            { containerPath: '/tmp', hostPath: tmp },
            {
              containerPath: '/var/run/secrets/kubernetes.io/serviceaccount',
              hostPath: account,
              readonly: true,
            },
          ],
          linux: {
            securityContext: {
              namespaceOptions,
              noNewPrivs: true,
              readonlyRootfs: true,
              runAsUser: { value: 0 },
              capabilities: { dropCapabilities: ['ALL'] },
              seccomp: { profileType: 0 },
            },
          },
        },
      });
      const get = (path: string): Promise<string> =>
        node.exec(['busybox', 'wget', '-qO-', `http://127.0.0.1:9465${path}`]);
      const metrics = await eventually('the agent has seen the daemon', 30_000, async () => {
        const page = await get('/metrics').catch(() => '');
        return /^berth_agent_daemon_answers 1$/m.test(page) ? page : undefined;
      });
      assert.ok(metrics.includes(`berth_agent_build_info{version="${version}"} 1`));
      assert.match(metrics, /^berth_agent_api_answers 0$/m);
      assert.match(await get('/healthz'), /"node":"node-1"/);
      const execSync = async (cmd: string[]): Promise<string> => {
        const { exitCode, stdout, stderr } = await node.client.call('ExecSync', {
          containerId: container,
          cmd,
        });
        return `${exitCode}\n${Buffer.concat([stdout, stderr]).toString()}`;
      };
      assert.equal(await execSync(readinessProbe.exec.command), `0\nBerth ${version} serves\n`);
      assert.match(
        await execSync(['berth', 'agent', '--check', '--health', '/run/berth/agent.sock']),
        /^0\nNode +node-1\nAPI server +.*127\.0\.0\.1:1 does not answer.*\nDaemon +answers\n/,
      );
      await node.client.call('StopContainer', { containerId: container, timeout: 10n });
      assert.equal((await waitForExit(node, container, 30_000)).exitCode, 0, 'it ends when it is told to');
      rmSync(join(dirname(node.socket), 'agent.sock'));
    });
  });
});

interface AgentContainer {
  args: string[];
  command?: string[];
  readinessProbe: { exec: { command: string[] } };
}

/** The agent's container as the chart makes it. */
async function agentOfChart(): Promise<AgentContainer> {
  const argv = [
    'template',
    'berth',
    join(REPOSITORY, 'deploy/chart'),
    '--show-only',
    'templates/daemonset.yaml',
  ];
  const { code, stdout, stderr } = await helm(...argv, '--set', 'monitoring.agentListen=127.0.0.1:9465');
  assert.equal(code, 0, stderr);
  const { spec } = load(stdout) as { spec: { template: { spec: { containers: AgentContainer[] } } } };
  return spec.template.spec.containers[0]!;
}
