import { readFileSync } from 'node:fs';

/** One line of /proc/pid/mountinfo (proc_pid_mountinfo(5)). Paths are text; escapes are resolved. */
export interface MountInfo {
  id: number;
  parent: number;
  /** `major:minor` of the file system. */
  device: string;
  /** The part of the file system that forms the root of this mount. */
  root: string;
  target: string;
  options: string;
  /** `shared:1`, `master:2`, `unbindable`: empty for a private mount. */
  propagation: string[];
  fstype: string;
  source: string;
  superOptions: string;
}

/** All mounts of a mount namespace: the calling thread's, or that of the process whose /proc directory is given. */
export function mounts(process = '/proc/thread-self'): MountInfo[] {
  return parseMountInfo(readFileSync(`${process}/mountinfo`));
}

/** The mounts that the text of a mountinfo file tells of (proc_pid_mountinfo(5)). */
export function parseMountInfo(text: Buffer | string): MountInfo[] {
  return text
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      const dash = fields.indexOf('-', 6);
      return {
        id: Number(fields[0]),
        parent: Number(fields[1]),
        device: fields[2]!,
        root: unescape(fields[3]!),
        target: unescape(fields[4]!),
        options: fields[5]!,
        propagation: fields.slice(6, dash),
        fstype: fields[dash + 1]!,
        source: unescape(fields[dash + 2]!),
        superOptions: fields.slice(dash + 3).join(' '),
      };
    });
}

/** The kernel writes blanks and backslashes as three octal digits. They are ASCII, so text around them is untouched. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
