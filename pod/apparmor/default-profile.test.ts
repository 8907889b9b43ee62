import assert from 'node:assert/strict';
import { defaultApparmorProfile } from './default-profile.ts';

/** Which of the texts a deny rule's pattern means, as apparmor.d(5) defines `*`, `**`, `?`, `[]` and `{}`. */
function denies(text: string, path: string): string[] {
  return text.split('\n').flatMap((line) => {
    const rule = /^ {2}deny (\/\S+) (\w+),$/.exec(line);
    if (rule === null) return [];
    const pattern = rule[1]!
      .replaceAll('**', '\0')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')
      .replaceAll('\0', '.*');
    return new RegExp(`^${pattern}$`).test(path) ? [rule[2]!] : [];
  });
}

describe("Berth's own AppArmor profile", () => {
  const text = defaultApparmorProfile({ abi: false });
  const mayWrite = (path: string): boolean => !denies(text, path).some((access) => access.includes('w'));
  const mayRead = (path: string): boolean => !denies(text, path).some((access) => access.includes('r'));

  it('closes the settings of the node, and leaves what belongs to the container', () => {
    for (const path of [
      '/proc/sysrq-trigger',
      '/proc/kmsg',
      '/proc/irq/1/smp_affinity',
      '/proc/scsi/scsi',
      '/proc/sys/vm/overcommit_memory',
      '/proc/sys/net/ipv4/ip_forward',
      '/proc/sys/kernel/core_pattern',
      '/proc/sys/kernel/sysrq',
      '/proc/sys/kernel/modprobe',
      '/sys/module/x/parameters/y',
      '/sys/firmware/efi/x',
      '/sys/fs/selinux/enforce',
      '/sys/fs/ext4/x',
      '/sys/kernel/security/apparmor/.remove',
    ])
      assert.equal(mayWrite(path), false, path);
    for (const path of [
      '/proc/1/oom_score_adj',
      '/proc/40/task/40/comm',
      '/proc/sys/kernel/shmmax',
      '/proc/sys/kernel/shm_rmid_forced',
      '/sys/fs/cgroup/memory/x',
      '/etc/passwd',
      '/dev/null',
      '/data/proc/x',
    ])
      assert.equal(mayWrite(path), true, path);
    for (const path of ['/proc/kcore', '/proc/sysrq-trigger', '/sys/firmware/acpi/tables/x'])
      assert.equal(mayRead(path), false, path);
    for (const path of ['/proc/sys/kernel/osrelease', '/sys/class/net/eth0', '/proc/meminfo'])
      assert.equal(mayRead(path), true, path);
    assert.match(text, /^ {2}deny mount,$/m);
  });
});
