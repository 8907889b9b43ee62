import { execFileSync, spawn } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOME } from './stage.ts';

const START_LIMIT_MS = 60_000;

/**
 * Lets the staged program run for a moment, so that its code is compiled into the cache that goes with it: the daemon
 * in namespaces of its own, asked once by the command line; it keeps the code when it ends (`load.ts`).
 * Root; throws Error when the daemon does not come up, which is a first test of what was built. Only for the machine that
 * builds.
 */
export async function compile(prefix: string): Promise<void> {
  const cache = join(prefix, HOME, 'cache');
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache);
  const directory = mkdtempSync(join(tmpdir(), 'berth-compile-'));
  const berth = join(prefix, 'bin/berth');
  try {
    const config = join(directory, 'berth.toml');
    const socket = join(directory, 'berth.sock');
    writeFileSync(config, configuration(directory, socket));
    const setup = `ip link set lo up
      if mountpoint -q /sys/fs/cgroup/unified; then
        umount /sys/fs/cgroup/unified && mount -t tmpfs -o mode=755 none /sys/fs/cgroup/unified
      fi
      exec "$@"`;
    const argv = [
      '-m',
      '-n',
      '--propagation',
      'private',
      'sh',
      '-c',
      setup,
      'sh',
      berth,
      'serve',
      '--config',
      config,
    ];
    const { NODE_COMPILE_CACHE: _own, ...env } = process.env;
    const daemon = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'pipe'], env });
    let output = '';
    for (const stream of [daemon.stdout, daemon.stderr])
      stream.on('data', (data: Buffer) => (output += data.toString()));
    const ended = new Promise<number | null>((resolve) => daemon.once('exit', resolve));
    try {
      for (const begun = performance.now(); !output.includes('The daemon is ready'); await sleep(20))
        if (daemon.exitCode !== null || performance.now() - begun > START_LIMIT_MS)
          throw new Error(`The daemon that was built does not start:\n${output}`);
      // Answers when the runtime handlers are tried; all of that is compiled by then.
      execFileSync(berth, ['status', '--config', config], { env, stdio: 'ignore', timeout: START_LIMIT_MS });
    } finally {
      daemon.kill('SIGTERM');
      const late = setTimeout(() => daemon.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(late);
    }
    for (const argv of [['--version'], ['doctor', '--config', config]])
      try {
        execFileSync(berth, argv, { env, stdio: 'ignore', timeout: START_LIMIT_MS });
      } catch {
        // `doctor` says by its exit code what this machine lacks.
      }
  } finally {
    removeCgroups(basename(directory));
    rmSync(directory, { recursive: true, force: true });
  }
  if (globSync(join(cache, 'berth-*.code')).length !== 1)
    throw new Error('The daemon has kept no compiled code (deploy/dist/load.ts)');
}

/** What OCI runtimes leave of a parent that is nobody's: empty directories, in each hierarchy. */
function removeCgroups(name: string): void {
  const tops = globSync([`/sys/fs/cgroup/${name}`, `/sys/fs/cgroup/*/${name}`]);
  const below = tops.flatMap((top) => globSync(`${top}/**/`));
  const deepestFirst = [...new Set([...tops, ...below].map((path) => path.replace(/\/$/, '')))].toSorted(
    (one, other) => other.length - one.length,
  );
  for (const path of deepestFirst) rmdirSync(path);
}

function configuration(directory: string, socket: string): string {
  return `root = "${directory}/root"
state = "${directory}/state"
[cri]
listen = "unix://${socket}"
[runtime]
cgroup_driver = "cgroupfs"
cgroup_parent = "/${basename(directory)}"
[image]
registry_config_dir = "${directory}/certs.d"
[network]
conf_dir = "${directory}/net.d"
pod_cidr = "10.88.0.0/16"
`;
}
