import { isErrno } from './errno.ts';
import { O, OwnedFd, openPath } from './fd.ts';
import { bind, check } from './libc.ts';

/**
 * Project quotas of ext4 and xfs: each file belongs to a project, a directory can hand its project on to what is made
 * in it, and the file system counts and bounds what the files of a project take (quotactl(2), ioctl_xfs_fsgetxattr(2)).
 *
 * The commands are those of xfs, which the kernel offers for ext4 as well (fs/quota/quota.c), and go by an open file
 * (quotactl_fd, Linux 5.14): no device has to be named.
 */

const SYS_QUOTACTL_FD = 443;
const PRJQUOTA = 2;
/** linux/dqblk_xfs.h, as QCMD of linux/quota.h puts them together with the type. */
const COMMAND = {
  get: (0x5803 << 8) | PRJQUOTA,
  setLimits: (0x5804 << 8) | PRJQUOTA,
  state: (0x5808 << 8) | PRJQUOTA,
} as const;
/** _IOR('X', 31, struct fsxattr) and _IOW('X', 32, struct fsxattr) of linux/fs.h. */
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_XFLAG_PROJINHERIT = 0x200;
/** Blocks of these structures, whatever the file system's own are. */
const BASIC_BLOCK = 512;

/** struct fsxattr (linux/fs.h): u32 xflags, extsize, nextents, projid, cowextsize, 8 bytes. */
const FSXATTR = { size: 28, xflags: 0, projid: 12 } as const;
/**
 * struct fs_disk_quota (linux/dqblk_xfs.h): s8 version, s8 flags, u16 fieldmask, u32 id, u64 hard and soft limit of
 * blocks, u64 hard and soft limit of inodes, u64 blocks, u64 inodes, timers and what is for real time devices.
 */
const DISK_QUOTA = {
  size: 112,
  version: 0,
  flags: 1,
  fieldmask: 2,
  id: 4,
  blockHardLimit: 8,
  blockSoftLimit: 16,
  blocks: 40,
  inodes: 48,
} as const;
const FS_DQUOT_VERSION = 1;
const FS_PROJ_QUOTA = 2;
const FS_DQ_BSOFT = 1 << 2;
const FS_DQ_BHARD = 1 << 3;
/** struct fs_quota_statv: s8 version, u8, u16 flags, then files and times that nobody asks for here. */
const QUOTA_STATE = { size: 160, version: 0, flags: 2 } as const;
const FS_QSTATV_VERSION1 = 1;
const FS_QUOTA_PDQ_ACCT = 1 << 4;
const FS_QUOTA_PDQ_ENFD = 1 << 5;

const quotactlFd = bind<[number, number, number, number, Buffer]>(
  'long syscall(long number, unsigned int fd, unsigned int command, unsigned int id, void *data)',
);
const ioctl = bind<[number, number, Buffer]>('int ioctl(int fd, unsigned long request, void *data)');

/** What a file system does for projects. */
export interface ProjectQuotaState {
  /** It counts what each project takes. */
  accounting: boolean;
  /** It refuses what goes beyond a project's limit. */
  enforcing: boolean;
}

/** What the files of a project take, and may take (0: no limit). */
export interface ProjectUsage {
  bytes: number;
  inodes: number;
  limitBytes: number;
}

/** Whether project quotas are on in the file system of `path`; both false where it, or the kernel, has none. */
export function projectQuotaState(path: string): ProjectQuotaState {
  const state = Buffer.alloc(QUOTA_STATE.size);
  state.writeInt8(FS_QSTATV_VERSION1, QUOTA_STATE.version);
  try {
    quotactl(`quotactl state of ${path}`, path, COMMAND.state, 0, state);
  } catch (error) {
    // ENOSYS: neither kernel nor file system knows quotas; EINVAL: no project quotas; ESRCH: they are off.
    if (isErrno(error, 'ENOSYS', 'EINVAL', 'ESRCH', 'ENOTSUP', 'EOPNOTSUPP', 'ENOTTY')) {
      return { accounting: false, enforcing: false };
    }
    throw error;
  }
  const flags = state.readUInt16LE(QUOTA_STATE.flags);
  return {
    accounting: (flags & FS_QUOTA_PDQ_ACCT) !== 0,
    enforcing: (flags & FS_QUOTA_PDQ_ENFD) !== 0,
  };
}

/**
 * What `project` takes in the file system of `path`. A project that nobody ever used takes nothing. Throws ESRCH,
 * ENOSYS or EINVAL where project quotas are off.
 */
export function projectUsage(path: string, project: number): ProjectUsage {
  const quota = Buffer.alloc(DISK_QUOTA.size);
  try {
    quotactl(`quotactl usage of project ${project} at ${path}`, path, COMMAND.get, project, quota);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return { bytes: 0, inodes: 0, limitBytes: 0 };
    throw error;
  }
  const field = (at: number): number => Number(quota.readBigUInt64LE(at));
  return {
    bytes: field(DISK_QUOTA.blocks) * BASIC_BLOCK,
    inodes: field(DISK_QUOTA.inodes),
    limitBytes: field(DISK_QUOTA.blockHardLimit) * BASIC_BLOCK,
  };
}

/**
 * Bounds what `project` may take in the file system of `path`, in bytes, rounded up to 512; 0: as much as it likes.
 * Beyond it a write fails with EDQUOT on ext4, with ENOSPC on xfs. Throws ESRCH, ENOSYS or EINVAL where project quotas
 * are off.
 */
export function limitProject(path: string, project: number, bytes: number): void {
  const quota = limitsOf(project, bytes);
  quotactl(`quotactl limit of project ${project} at ${path}`, path, COMMAND.setLimits, project, quota);
}

/** struct fs_disk_quota as Q_XSETQLIM takes it: both limits, nothing else. */
export function limitsOf(project: number, bytes: number): Buffer {
  const quota = Buffer.alloc(DISK_QUOTA.size);
  quota.writeInt8(FS_DQUOT_VERSION, DISK_QUOTA.version);
  quota.writeInt8(FS_PROJ_QUOTA, DISK_QUOTA.flags);
  quota.writeUInt16LE(FS_DQ_BSOFT | FS_DQ_BHARD, DISK_QUOTA.fieldmask);
  quota.writeUInt32LE(project, DISK_QUOTA.id);
  const blocks = BigInt(Math.ceil(bytes / BASIC_BLOCK));
  quota.writeBigUInt64LE(blocks, DISK_QUOTA.blockHardLimit);
  quota.writeBigUInt64LE(blocks, DISK_QUOTA.blockSoftLimit);
  return quota;
}

/** The project of a file or directory, and whether what is made in it gets the same. ENOTTY or ENOTSUP where there are none. */
export function projectOf(path: string): { project: number; inherited: boolean } {
  using file = new OwnedFd(openPath(path, O.RDONLY | O.NONBLOCK | O.NOFOLLOW));
  const attributes = readAttributes(path, file.fd);
  return {
    project: attributes.readUInt32LE(FSXATTR.projid),
    inherited: (attributes.readUInt32LE(FSXATTR.xflags) & FS_XFLAG_PROJINHERIT) !== 0,
  };
}

/**
 * Gives a directory to `project`, and all that will be made in it; what is in it already stays where it is. ENOTTY or
 * ENOTSUP where the file system has no projects (ext4 without the feature `project`).
 */
export function giveToProject(directory: string, project: number): void {
  using file = new OwnedFd(openPath(directory, O.RDONLY | O.DIRECTORY | O.NOFOLLOW));
  const attributes = readAttributes(directory, file.fd);
  attributes.writeUInt32LE(project, FSXATTR.projid);
  const flags = attributes.readUInt32LE(FSXATTR.xflags);
  // The highest bit is in use: files with extended attributes have it on xfs.
  attributes.writeUInt32LE((flags | FS_XFLAG_PROJINHERIT) >>> 0, FSXATTR.xflags);
  check(`give ${directory} to project ${project}`, ioctl(file.fd, FS_IOC_FSSETXATTR, attributes));
}

function readAttributes(path: string, fd: number): Buffer {
  const attributes = Buffer.alloc(FSXATTR.size);
  check(`read the project of ${path}`, ioctl(fd, FS_IOC_FSGETXATTR, attributes));
  return attributes;
}

function quotactl(call: string, path: string, command: number, id: number, data: Buffer): void {
  // O_PATH will not do: quotactl_fd wants an open file.
  using file = new OwnedFd(openPath(path, O.RDONLY | O.DIRECTORY));
  check(call, quotactlFd(SYS_QUOTACTL_FD, file.fd, command, id, data));
}
