import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the integration tests call, and the Debian package that brings it. */
const PROGRAMS: Record<string, string> = {
  crun: 'crun',
  runc: 'runc',
  conmon: 'conmon',
  containerd: 'containerd',
  iptables: 'iptables',
  'iptables-save': 'iptables',
  'iptables-legacy-save': 'iptables',
  nft: 'nftables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  busybox: 'busybox-static',
  'docker-registry': 'docker-registry',
  zstd: 'zstd',
  skopeo: 'skopeo',
  criu: 'criu',
  chromium: 'chromium',
  'qemu-aarch64-static': 'qemu-user-static',
  'mkfs.ext4': 'e2fsprogs',
  openssl: 'openssl',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mmdebstrap: 'mmdebstrap',
  mksquashfs: 'squashfs-tools',
  systemctl: 'systemd',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  mount: 'mount',
};
const PLUGINS = '/usr/lib/cni';

function findProgram(name: string): boolean {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.some((directory) => isExecutable(join(directory, name)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // the answer itself: not there, or not executable
  }
}

/** One sentence for each thing that the integration tests need and this machine lacks; empty when all is there. */
export function missingNeeds(): string[] {
  const missing: string[] = [];
  if (process.getuid?.() !== 0)
    missing.push('The integration tests run as root: they make namespaces, mounts and cgroups');
  for (const [program, debianPackage] of Object.entries(PROGRAMS))
    if (!findProgram(program))
      missing.push(`${program} is missing: apt-get install ${debianPackage}, or run ./bin/test`);
  for (const plugin of ['bridge', 'host-local', 'portmap', 'loopback'])
    if (!isExecutable(join(PLUGINS, plugin)))
      missing.push(
        `${PLUGINS}/${plugin} is missing: apt-get install containernetworking-plugins, or run ./bin/test`,
      );
  if (missing.length > 0) return missing;
  try {
    execFileSync('unshare', ['-m', '-n', '--propagation', 'private', 'true'], { stdio: 'pipe' });
  } catch (error) {
    missing.push(`Namespaces cannot be made here: ${error instanceof Error ? error.message : String(error)}`);
  }
  return missing;
}
