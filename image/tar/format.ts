/**
 * The tar format's fixed part: 512-byte header blocks (POSIX.1-1988 ustar, with GNU's base-256 numbers).
 * Offsets as in tar(5) and GNU tar's manual, "Basic Tar Format".
 */

export const BLOCK = 512;

/** Header fields: [offset, length]. */
export const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;

/** What an entry is. `metadata` records (pax and GNU long names) never reach the reader's caller. */
export type EntryType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

/** Type flags of entries, POSIX.1-1988. `7` (contiguous file) and NUL (old tar) are regular files as well. */
export const TYPE_FLAG: Record<EntryType, string> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** One entry of an archive, all extensions applied. */
export interface TarEntry {
  path: string;
  type: EntryType;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtimeNs: bigint;
  /** Target of a symbolic link, or path of the entry that a hard link names. */
  link: string;
  major: number;
  minor: number;
  /** Extended attributes (pax `SCHILY.xattr.<name>`), bytes as they stood. */
  xattrs: Map<string, Buffer>;
}

/** Bytes that follow `size` bytes of content up to the next block. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
