import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { buildDebianRoot, debianSources, packageVersions } from './debian-root.ts';
import { program } from './programs.ts';

/*
 * What the machine boots from, made once and kept outside the repository (`$XDG_CACHE_HOME/berth-vm`), each under a
 * name that says what went into it. Nothing of a run writes to these files.
 */

const REPOSITORY = join(import.meta.dirname, '../..');
const MINUTE = 60_000;
const DISK = '4G';
/** Images that no run has used for so long are removed. */
const KEPT_MS = 14 * 24 * 60 * MINUTE;

export interface Images {
  /** Raw ext4 disk with the Debian system. */
  root: string;
  /** The kernel's image. */
  kernel: string;
  /** Directory with the modules that the initial RAM disk loads. */
  modules: string;
  /** Squashfs of node_modules, without what only development on the host needs. */
  packages: string;
  /** A busybox for the initial RAM disk. */
  busybox: string;
}

/** Development tools that no test inside the machine calls. */
const HOST_ONLY = [
  '@aws-cdk',
  '@esbuild',
  '@oxfmt',
  '@oxlint',
  '@oxlint-tsgolint',
  '@typescript',
  'esbuild',
  'oxfmt',
  'oxlint',
  'oxlint-tsgolint',
  'playwright-core',
  'typescript',
  '.cache',
];

/** Packages that the tests need on the host, but not in the machine. */
const NOT_INSIDE =
  /^(qemu-|mmdebstrap|squashfs-tools|chromium|npm|linux-image|debootstrap|dbus|apparmor$|man-db|mandoc)/;

function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'berth-vm');
}

function keyOf(...parts: (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
}

/** The words of a variable in deploy/debian-packages.sh. */
function packageList(name: string): string[] {
  const text = readFileSync(join(REPOSITORY, 'deploy/debian-packages.sh'), 'utf8');
  return new RegExp(`^${name}="([^"]*)"`, 'm').exec(text)![1]!.split(' ');
}

/** Finds the images in the cache or makes them; `say` tells what takes long. */
export async function prepareImages(say: (line: string) => void): Promise<Images> {
  const cache = cacheDirectory();
  mkdirSync(cache, { recursive: true });
  dropOld(cache);
  const [system, packages] = await Promise.all([systemImage(cache, say), packagesImage(cache, say)]);
  return {
    root: join(system, 'root.img'),
    kernel: join(system, 'vmlinuz'),
    modules: join(system, 'modules'),
    busybox: join(system, 'busybox'),
    packages,
  };
}

/** Makes `path` by `make`, which is given a directory of its own on the same file system; nothing half made stays. */
async function once(cache: string, path: string, make: (work: string) => Promise<string>): Promise<string> {
  if (!existsSync(path)) {
    const work = mkdtempSync(join(cache, 'making-'));
    try {
      const made = await make(work);
      if (!existsSync(path)) renameSync(made, path);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  const now = new Date();
  utimesSync(path, now, now);
  return path;
}

function dropOld(cache: string): void {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (Date.now() - statSync(path).mtimeMs > KEPT_MS) rmSync(path, { recursive: true, force: true });
  }
}

async function systemImage(cache: string, say: (line: string) => void): Promise<string> {
  const packages = [...packageList('RUN_PACKAGES'), ...packageList('TEST_PACKAGES')].filter(
    (name) => !NOT_INSIDE.test(name),
  );
  const recipe = ['images.ts', 'debian-root.ts'].map((file) => readFileSync(join(import.meta.dirname, file)));
  const sources = (await debianSources()).map((line) => line.replace(/\S+:\/\/\S+/, ''));
  const key = keyOf(packages.join(' '), await packageVersions(packages), ...sources, ...recipe);
  return once(cache, join(cache, `system-${key}`), async (work) => {
    say('making the Debian system (once; about two minutes)');
    const root = await buildDebianRoot(work, packages);
    say('making its disk');
    const made = join(work, 'made');
    mkdirSync(join(made, 'modules'), { recursive: true });
    const kernel = join(work, 'kernel');
    const boot = readdirSync(join(kernel, 'boot')).find((name) => name.startsWith('vmlinuz'))!;
    copyFileSync(join(kernel, 'boot', boot), join(made, 'vmlinuz'));
    copyFileSync(join(root, 'usr/bin/busybox'), join(made, 'busybox'));
    const modules = join(kernel, 'lib/modules', readdirSync(join(kernel, 'lib/modules'))[0]!, 'kernel');
    for (const directory of ['drivers/virtio', 'drivers/block', 'drivers/char', 'fs/squashfs', 'fs/quota'])
      for (const name of readdirSync(join(modules, directory)))
        if (name.endsWith('.ko')) cpSync(join(modules, directory, name), join(made, 'modules', name));
    const disk = join(made, 'root.img');
    writeFileSync(disk, '');
    truncateSync(disk, 4 << 30);
    const features = ['-O', 'quota,project', '-E', 'quotatype=prjquota,lazy_itable_init=1,nodiscard'];
    await program(['mkfs.ext4', '-q', '-F', ...features, '-d', root, disk, DISK], 5 * MINUTE);
    return made;
  });
}

async function packagesImage(cache: string, say: (line: string) => void): Promise<string> {
  const lock = readFileSync(join(REPOSITORY, 'package-lock.json'));
  const key = keyOf(lock, HOST_ONLY.join(' '));
  return once(cache, join(cache, `packages-${key}.squashfs`), async (work) => {
    say('making the disk of npm packages');
    const made = join(work, 'packages.squashfs');
    const uncompressed = ['-noI', '-noId', '-noD', '-noF', '-noX'];
    const quiet = ['-quiet', '-no-progress', '-no-xattrs', '-all-root'];
    const modules = realpathSync(join(REPOSITORY, 'node_modules'));
    await program(['mksquashfs', modules, made, ...uncompressed, ...quiet, '-e', ...HOST_ONLY], 5 * MINUTE);
    return made;
  });
}
