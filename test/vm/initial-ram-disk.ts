import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cpio } from './cpio.ts';
import type { Images } from './images.ts';

const GUEST = join(import.meta.dirname, 'guest');
const UNITS = 'overlay/etc/systemd/system';

/** Units that do nothing for the tests and cost seconds under emulation. udev runs, but does not look for old devices. */
const MASKED_UNITS = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'containerd.service',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'docker-registry.service',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty.target',
  'kmod-static-nodes.service',
  'proc-sys-fs-binfmt_misc.automount',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-ask-password-console.path',
  'systemd-ask-password-wall.path',
  'systemd-binfmt.service',
  'systemd-journal-flush.service',
  'systemd-logind.service',
  'systemd-modules-load.service',
  'systemd-networkd.service',
  'systemd-pstore.service',
  'systemd-random-seed.service',
  'systemd-remount-fs.service',
  'systemd-sysusers.service',
  'systemd-timesyncd.service',
  'systemd-udev-trigger.service',
  'systemd-update-utmp-runlevel.service',
  'systemd-update-utmp.service',
  'systemd-user-sessions.service',
];

/** What the kernel starts with: the modules for the disks, and our files, which it lays over the root. */
export function initialRamDisk(images: Images): Buffer {
  const archive = new Cpio();
  for (const directory of ['dev', 'proc', 'root']) archive.directory(directory);
  archive.file('init', readFileSync(join(GUEST, 'init')), 0o755);
  archive.file('bin/busybox', readFileSync(images.busybox), 0o755);
  archive.tree('modules', images.modules);
  archive.tree('overlay', join(GUEST, 'overlay'));
  for (const name of ['agent.ts', 'protocol.ts'])
    archive.file(`overlay/usr/lib/berth-vm/${name}`, readFileSync(join(GUEST, name)));
  for (const unit of MASKED_UNITS) archive.link(`${UNITS}/${unit}`, '/dev/null');
  archive.link(`${UNITS}/default.target`, '/lib/systemd/system/multi-user.target');
  const agent = 'berth-vm-agent.service';
  archive.link(`${UNITS}/multi-user.target.wants/${agent}`, `/etc/systemd/system/${agent}`);
  return archive.archive();
}
