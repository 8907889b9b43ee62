import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program, words } from './programs.ts';

/*
 * The Debian system of the machine, from the packages that this machine's own apt can get. No file names a mirror:
 * sources and proxies are asked of apt.
 */

const SUITE = 'bookworm';
const MINUTE = 60_000;
const KERNEL = 'linux-image-cloud-amd64';

/** What the machine has on top of what the tests need on any machine: a Debian server as people run it. */
const SYSTEM_PACKAGES = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'udev',
  'kmod',
  'apparmor',
  'selinux-policy-default',
  'mount',
  'util-linux',
  'procps',
  'iputils-ping',
  'xfsprogs',
];

/** One line for each Debian archive that this machine's apt uses, as sources.list has them. */
export async function debianSources(): Promise<string[]> {
  const format = '$(ORIGIN)\t$(CODENAME)\tdeb $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const targets = await program(
    ['apt-get', 'indextargets', '--format', format, 'Created-By: Packages'],
    MINUTE,
  );
  const wanted = [SUITE, `${SUITE}-updates`, `${SUITE}-security`];
  const lines = targets
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([origin, codename, source]) => origin === 'Debian' && wanted.includes(codename!) && source)
    .map(([, , source]) => source!);
  if (lines.length === 0) throw new Error(`apt knows no Debian ${SUITE} archive: run apt-get update`);
  return [...new Set(lines)].sort();
}

/** The versions that apt would install, one line a package: what the cached image depends on. */
export async function packageVersions(packages: string[]): Promise<string> {
  const policy = await program(['apt-cache', 'policy', ...packages, ...SYSTEM_PACKAGES, KERNEL], MINUTE);
  return policy
    .split('\n')
    .filter((line) => /^\S|^  Candidate:/.test(line))
    .join('\n');
}

/** Makes the system in `directory` and the kernel (`vmlinuz`, `modules/`) beside it in `work`. */
export async function buildDebianRoot(work: string, packages: string[]): Promise<string> {
  const root = join(work, 'root');
  const sources = join(work, 'sources.list');
  writeFileSync(sources, (await debianSources()).map((line) => `${line}\n`).join(''));
  const proxies = await program(['apt-config', 'dump', '--format', '%f "%v";%n', 'Acquire'], MINUTE);
  const options = proxies.split('\n').filter((line) => /^Acquire::(https?::Proxy|Check)/.test(line));
  const unneeded = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];
  const argv = [
    ...words('unshare -m --propagation private mmdebstrap --mode=root --variant=apt'),
    ...unneeded.map((path) => `--dpkgopt=path-exclude=${path}`),
    '--dpkgopt=force-unsafe-io',
    ...['APT::Install-Recommends "false";', ...options].map((option) => `--aptopt=${option}`),
    `--include=${[...new Set([...SYSTEM_PACKAGES, ...packages])].join(',')}`,
    SUITE,
    root,
    sources,
  ];
  // The kernel's own scripts would build an initial RAM disk of 30 MB; ours is a few files, so the package is only unpacked.
  const kernel = await program(['apt-cache', 'depends', '--important', KERNEL], MINUTE);
  const kernelPackage = /Depends: (linux-image-\S+)/.exec(kernel)?.[1];
  if (kernelPackage === undefined) throw new Error(`apt does not know ${KERNEL}: run apt-get update`);
  mkdirSync(join(work, 'kernel'));
  await Promise.all([
    program(argv, 12 * MINUTE),
    program(['apt-get', 'download', '-q', kernelPackage], 5 * MINUTE, work),
  ]);
  const file = readdirSync(work).find((name) => name.endsWith('.deb'))!;
  await program(['dpkg-deb', '-x', join(work, file), join(work, 'kernel')], 5 * MINUTE);
  await finishRoot(root, join(work, 'kernel'));
  return root;
}

async function finishRoot(root: string, kernel: string): Promise<void> {
  const [version] = readdirSync(join(kernel, 'lib/modules'));
  await program(['cp', '-a', join(kernel, 'lib/modules'), join(root, 'usr/lib/')], MINUTE);
  await program(['chroot', root, 'depmod', version!], MINUTE);
  writeFileSync(join(root, 'etc/machine-id'), `${'b'.repeat(32)}\n`);
  writeFileSync(join(root, 'etc/hostname'), 'berth-vm\n');
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost berth-vm\n::1 localhost\n');
  writeFileSync(join(root, 'etc/fstab'), '');
  await labelFiles(root);
  for (const path of ['var/lib/apt/lists', 'var/cache/apt']) rmSync(join(root, path), { recursive: true });
  mkdirSync(join(root, 'opt/berth/node_modules'), { recursive: true });
  mkdirSync(join(root, 'var/cache/berth-vm'), { recursive: true });
}

/** What container-selinux has on other distributions, as far as labels go: Debian's policy names these types and has none. */
const CONTAINER_TYPES = `(type container_t)
(roletype system_r container_t)
(type spc_t)
(roletype system_r spc_t)
(type container_file_t)
(roletype object_r container_file_t)
`;

/** Policy and labels for the boots with SELinux, which says what it would have refused and refuses nothing. */
async function labelFiles(root: string): Promise<void> {
  writeFileSync(join(root, 'etc/selinux/config'), 'SELINUX=permissive\nSELINUXTYPE=default\n');
  writeFileSync(join(root, 'tmp/containers.cil'), CONTAINER_TYPES);
  // It would have the next boot with SELinux label every file again and boot once more.
  symlinkSync('/dev/null', join(root, 'etc/systemd/system/selinux-autorelabel-mark.service'));
  const contexts = '/etc/selinux/default/contexts/files/file_contexts';
  // setfiles reaches files by what /proc says of its descriptors.
  const script = `mount -t proc proc ${root}/proc
    chroot ${root} semodule --noreload --store default --install /tmp/containers.cil
    rm ${root}/tmp/containers.cil
    exec chroot ${root} setfiles -m -F -e /proc ${contexts} /`;
  await program(['unshare', '-m', '--propagation', 'private', 'sh', '-ec', script], 5 * MINUTE);
}
