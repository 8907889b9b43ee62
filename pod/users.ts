import { Fault } from '../ground/fault.ts';
import { readFileIn } from '../native/openat2.ts';

/** Who a container's first process is. */
export interface ResolvedUser {
  uid: number;
  gid: number;
  /** Sorted, the primary group among them. */
  additionalGids: number[];
  /** Home directory from the image's passwd file, `/` for a user that it does not know. */
  home?: string;
}

/** Whom the caller and the image name. */
export interface UserRequest {
  /** The mounted root file system. */
  rootfs: string;
  /** The image's `User`: empty, `user`, `uid`, `user:group`, `uid:gid` and the mixed forms. */
  imageUser: string;
  runAsUser?: number;
  runAsGroup?: number;
  runAsUsername: string;
  supplementalGroups: number[];
  policy: 'merge' | 'strict';
}

/** The files belong to the image, and their lines are gone through on the event loop: this is for ten thousand users. */
const MAX_FILE_BYTES = 1024 * 1024;
/** As Kubernetes and Docker bound them. */
const MAX_ID = 2 ** 31 - 1;

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/**
 * Finds out user, groups and home directory inside an image's root (CRI LinuxContainerSecurityContext). The caller's
 * uid or user name comes before the image's user. A user without a group gets the one of the passwd file, or 0.
 * Policy `merge` adds the groups of which /etc/group lists the user as a member; `strict` only those of the request
 * (CRI SupplementalGroupsPolicy).
 *
 * Throws `invalid` for names that the image does not know, ids out of range, a group without a user, and files that
 * are larger than a megabyte.
 */
export function resolveUser(request: UserRequest): ResolvedUser {
  const { rootfs } = request;
  const wanted = wantedUser(request);
  const passwd = parsePasswd(readText(rootfs, '/etc/passwd'));
  let groups: GroupEntry[] | undefined;
  const groupFile = (): GroupEntry[] => (groups ??= parseGroup(readText(rootfs, '/etc/group')));
  const entry = passwdEntry(passwd, wanted.user);
  const uid = entry?.uid ?? Number(wanted.user);
  const gid = wanted.group === '' ? (entry?.gid ?? 0) : groupId(groupFile, wanted.group);
  const listed =
    request.policy === 'merge' && entry !== undefined
      ? groupFile().filter(({ members }) => members.includes(entry.name))
      : [];
  const asked = request.supplementalGroups.map((id) => inRange('supplemental group', id));
  const additional = new Set([gid, ...asked, ...listed.map((group) => group.gid)]);
  return { uid, gid, additionalGids: [...additional].sort((a, b) => a - b), home: entry?.home ?? '/' };
}

function wantedUser(request: UserRequest): { user: string; group: string } {
  const { runAsUser, runAsGroup, runAsUsername } = request;
  const [imageUser = '', imageGroup = ''] = request.imageUser.split(':');
  const group = runAsGroup === undefined ? '' : String(inRange('group', runAsGroup));
  if (runAsUser !== undefined) return { user: String(inRange('user', runAsUser)), group };
  if (runAsUsername !== '') return { user: runAsUsername, group };
  if (runAsGroup !== undefined)
    throw new Fault('invalid', 'run_as_group is given without run_as_user or run_as_username');
  return { user: imageUser === '' ? '0' : imageUser, group: imageGroup };
}

/** undefined: a uid that the file does not know. */
function passwdEntry(passwd: PasswdEntry[], user: string): PasswdEntry | undefined {
  if (isNumber(user)) {
    const uid = inRange('user', Number(user));
    return passwd.find((entry) => entry.uid === uid);
  }
  const entry = passwd.find(({ name }) => name === user);
  if (entry === undefined)
    throw new Fault(
      'invalid',
      `Unable to find the user ${JSON.stringify(user)}: no such entry in the image's passwd file`,
    );
  return entry;
}

function groupId(groups: () => GroupEntry[], group: string): number {
  if (isNumber(group)) return inRange('group', Number(group));
  const entry = groups().find(({ name }) => name === group);
  if (entry === undefined)
    throw new Fault(
      'invalid',
      `Unable to find the group ${JSON.stringify(group)}: no such entry in the image's group file`,
    );
  return entry.gid;
}

function isNumber(text: string): boolean {
  return /^[+-]?\d+$/.test(text);
}

function inRange(kind: string, id: number): number {
  if (!Number.isInteger(id) || id < 0 || id > MAX_ID)
    throw new Fault('invalid', `The ${kind} id ${id} is not between 0 and ${MAX_ID}`);
  return id;
}

function readText(rootfs: string, path: string): string {
  return readFileIn(rootfs, path, MAX_FILE_BYTES)?.toString('utf8') ?? '';
}

/** Entries of passwd(5): name:password:uid:gid:comment:home:shell. Malformed lines are left out. */
export function parsePasswd(text: string): PasswdEntry[] {
  return fieldsOfLines(text, 4).flatMap(([name, , uid, gid, , home]) => {
    const entry = {
      name: name!,
      uid: fileId(uid),
      gid: fileId(gid),
      home: home?.startsWith('/') ? home : '/',
    };
    return entry.uid === undefined || entry.gid === undefined ? [] : [entry as PasswdEntry];
  });
}

/** Entries of group(5): name:password:gid:members. Malformed lines are left out. */
export function parseGroup(text: string): GroupEntry[] {
  return fieldsOfLines(text, 3).flatMap(([name, , gid, members = '']) => {
    const id = fileId(gid);
    return id === undefined
      ? []
      : [{ name: name!, gid: id, members: members.split(',').filter((m) => m !== '') }];
  });
}

function fieldsOfLines(text: string, least: number): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim().split(':'))
    .filter((fields) => fields.length >= least && fields[0] !== '' && !fields[0]!.startsWith('#'));
}

function fileId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_ID ? id : undefined;
}
