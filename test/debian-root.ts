import { execFile, execFileSync, type ExecFileException } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/*
 * Debian root file systems, as small as Debian makes them, with what deploy/debian-packages.sh says that Berth needs;
 * and namespaces in which a program takes one of them for the whole machine. A root is made once, by mmdebstrap from
 * the mirror that the machine's own apt uses, and then only read.
 */

const REPOSITORY = join(import.meta.dirname, '..');
const CACHE = join(REPOSITORY, 'node_modules/.cache/debian-roots');
const MAKE_LIMIT_MS = 600_000;
const run = promisify(execFile);

export const SUITES = ['bookworm', 'trixie'] as const;
export type Suite = (typeof SUITES)[number];

/** The packages that `bin/setup run` installs. */
function runPackages(): string[] {
  const script = `. "$0"; echo "$RUN_PACKAGES"`;
  const list = join(REPOSITORY, 'deploy/debian-packages.sh');
  return execFileSync('sh', ['-c', script, list], { encoding: 'utf8' }).trim().split(' ');
}

/** Where this machine has its own Debian from. */
function mirror(): string {
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const argv = ['indextargets', '--format', '$(SITE) $(RELEASE) $(COMPONENT)', 'Created-By: Packages'];
  const lines = execFileSync('apt-get', argv, { encoding: 'utf8' }).split('\n');
  const site = lines.find((line) => line.endsWith(` ${codename} main`))?.split(' ')[0];
  if (site === undefined) throw new Error(`apt knows no mirror of Debian ${codename}`);
  return site;
}

/** The directory of a root; made now if there is none yet, which takes up to some minutes. */
export function debianRoot(suite: Suite): Promise<string> {
  return made(suite, suite, runPackages(), [
    '--variant=minbase',
    '--dpkgopt=force-unsafe-io',
    ...['doc', 'man', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  ]);
}

/** A directory with the files of these packages for arm64, as Debian bookworm has them; nothing of them has run. */
export function arm64Files(packages: readonly string[]): Promise<string> {
  return made('arm64', 'bookworm', packages, ['--variant=extract', '--architectures=arm64']);
}

async function made(
  name: string,
  suite: Suite,
  packages: readonly string[],
  options: readonly string[],
): Promise<string> {
  const mark = createHash('sha256').update(packages.join()).digest('hex').slice(0, 8);
  const root = join(CACHE, `${name}-${mark}`);
  if (existsSync(root)) return root;
  mkdirSync(CACHE, { recursive: true });
  const partial = mkdtempSync(join(CACHE, `new-${name}-`));
  const fresh = join(partial, 'root');
  try {
    const argv = [`--include=${packages.join()}`, '--aptopt=Acquire::Languages "none"', ...options];
    await run('mmdebstrap', [...argv, suite, fresh, mirror()], {
      timeout: MAKE_LIMIT_MS,
      maxBuffer: 16 << 20,
    });
    if (!existsSync(root)) renameSync(fresh, root);
    return root;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

interface Output {
  stdout?: string;
  stderr?: string;
}

/** What the first process does before the script: it makes the root its own, as a machine after its boot. */
const ENTER = `set -e
mount -t tmpfs -o mode=755 none "$SCRATCH"
mkdir "$SCRATCH/upper" "$SCRATCH/work" "$SCRATCH/root"
mount -t overlay -o "lowerdir=$ROOT,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work" overlay "$SCRATCH/root"
cd "$SCRATCH/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
if mountpoint -q sys/fs/cgroup/unified; then
  umount sys/fs/cgroup/unified
  mount -t tmpfs -o mode=755 none sys/fs/cgroup/unified
fi
mount -t tmpfs -o mode=1777 none tmp
mount -t tmpfs -o mode=755 none run
mkdir -p var/lib/berth release former
mount -t tmpfs none var/lib/berth
mount --bind -o ro "$RELEASE" release
ip link set lo up
pivot_root . former
umount -l /former
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh -c "$1"
`;

/**
 * Runs a shell script with `root` as its whole machine: mount, PID and network namespaces of its own, nothing of what it
 * writes stays. `release` is seen at /release. Resolves with its output; rejects with all of it when it fails.
 */
export async function inRoot(
  root: string,
  release: string,
  script: string,
  limitMs = 100_000,
): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'berth-root-'));
  try {
    const argv = [
      '-m',
      '-n',
      '-p',
      '--fork',
      '--kill-child',
      '--propagation',
      'private',
      'sh',
      '-c',
      ENTER,
      'sh',
      `set -e\n${script}`,
    ];
    const env = { ...process.env, SCRATCH: scratch, ROOT: root, RELEASE: release };
    const { stdout } = await run('unshare', argv, {
      env,
      timeout: limitMs,
      killSignal: 'SIGKILL',
      maxBuffer: 16 << 20,
    });
    return stdout;
  } catch (error) {
    // Its message is the whole script; what the script wrote says more.
    const { stdout = '', stderr = '', code, killed } = error as Partial<ExecFileException> & Output;
    const ending = killed === true ? `took longer than ${limitMs} ms` : `ended with ${code}`;
    throw new Error(`The script in ${root} ${ending}:\n${stdout}\n${stderr}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
