import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { allPids, processesOf, processOf, readProc, readProcLink, type NodeMarks } from './node-processes.ts';
import { cgroupsBelow, type NodeSpace } from './node-space.ts';
import { removeIdlePodCgroups } from './pod-cgroups.ts';
import { patient } from './patience.ts';

/*
 * The leak checker. A census lists everything that a node holds, one line a thing; a leak is a line that is there
 * after the pods are gone and was not there before they came. What the daemon does late (background deletion, reaping)
 * gets a few seconds to settle; after that, nothing is tolerated.
 */

/** What is searched. A `TestNode` is one. */
export interface CensusSubject extends NodeMarks {
  readonly space: NodeSpace;
  readonly root: string;
  readonly state: string;
  /** Absent while the daemon is down. */
  readonly daemonPid: number | undefined;
}

export const LEAK_KINDS = [
  'namespaces',
  'mounts',
  'cgroups',
  'links',
  'addresses',
  'routes',
  'rules',
  'processes',
  'descriptors',
  'records',
  'directories',
] as const;
export type LeakKind = (typeof LEAK_KINDS)[number];

/** Lines for people; equal lines may stand there several times. */
export type Census = Record<LeakKind, string[]> & {
  /** Which daemon it was: another one has other descriptors by right. */
  daemon: string;
};

/** Longer than the daemon keeps idle threads. */
const SETTLE_MS = patient(6_000);
const MAX_LINES = 40;
/** Deep enough for every object's own directory, not for the content of images. */
const DIRECTORY_DEPTH = 4;
/**
 * On a machine that runs nothing else, even a namespace whose process bears none of the node's marks is ours. Without
 * this the marks decide: every process that the daemon starts inherits a cgroup below the node's parent.
 */
const MACHINE_IS_OURS = process.env.BERTH_MACHINE_IS_OURS === '1';

/** Lists all that the node holds now. Fails when the node's tools (ip, iptables-save) do. */
export async function takeCensus(node: CensusSubject): Promise<Census> {
  removeIdlePodCgroups(node.cgroupParent);
  const [network, rules] = await Promise.all([networkOf(node.space), rulesOf(node.space)]);
  return {
    daemon: node.daemonPid === undefined ? 'down' : (processOf(node.daemonPid)?.startTime ?? 'down'),
    namespaces: namespacesOf(node),
    mounts: mountsOf(node),
    cgroups: cgroupsOf(node),
    ...network,
    rules,
    processes: processLines(node),
    descriptors: descriptorsOf(node.daemonPid),
    records: recordsOf(join(node.root, 'berth.db')),
    directories: [node.root, node.state, join(node.directory, 'var-lib/upper')].flatMap((top) =>
      entriesBelow(top, DIRECTORY_DEPTH),
    ),
  };
}

/** The mount namespace in which pauses are born (`pod/pause/room.ts`): the thread that makes sandboxes is up. */
const ROOM = inDaemon('mnt');
/**
 * What a daemon makes for itself when it finds the time: that room, and the namespaces of the next pod
 * (`pod/spare-namespaces.ts`). A census that was taken before has none, and one set that comes later is no leak.
 */
const OWN: readonly string[] = [ROOM, ...['ipc', 'net', 'uts'].map(inDaemon)];

/** The lines of `after` that `before` has not, kind by kind: `cgroups: /sys/fs/cgroup/…`. Empty: nothing leaked. */
export function findLeaks(before: Census, after: Census): string[] {
  return LEAK_KINDS.flatMap((kind) => {
    if (kind === 'descriptors' && (before.daemon !== after.daemon || grewUp(before, after))) return [];
    const known = new Map<string, number>();
    if (kind === 'namespaces') for (const line of OWN) if (!before[kind].includes(line)) known.set(line, 1);
    for (const line of before[kind]) known.set(line, (known.get(line) ?? 0) + 1);
    return after[kind]
      .filter((line) => {
        const left = known.get(line) ?? 0;
        known.set(line, left - 1);
        return left <= 0;
      })
      .map((line) => `${kind}: ${line}`);
  });
}

/**
 * Rejects with an AssertionError that lists the leaks, when some are left after the node had time to settle:
 * `settleMs` since the list last became shorter.
 */
export async function assertNoLeaks(
  node: CensusSubject,
  before: Census,
  settleMs = SETTLE_MS,
): Promise<void> {
  let fewest = Infinity;
  let since = performance.now();
  for (;;) {
    const leaks = findLeaks(before, await takeCensus(node));
    if (leaks.length === 0) return;
    if (leaks.length < fewest) {
      fewest = leaks.length;
      since = performance.now();
    }
    if (performance.now() - since >= settleMs)
      assert.fail(`Left behind:\n  ${shortened(leaks).join('\n  ')}`);
    await sleep(100);
  }
}

function shortened(lines: string[]): string[] {
  if (lines.length <= MAX_LINES) return lines;
  return [...lines.slice(0, MAX_LINES), `and ${lines.length - MAX_LINES} more`];
}

/** Those that a pod's pause holds: one that leaked has at least one of them. */
const POD_NAMESPACES = ['ipc', 'net', 'pid', 'uts'];
const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];

/** Namespaces by what keeps them: processes, threads of the daemon, pins, open descriptors. */
function namespacesOf(node: CensusSubject): string[] {
  const names = new Map<string, string>();
  const own = processesOf(node).map(({ pid }) => pid);
  for (const pid of own) for (const kind of NAMESPACES) note(names, readProcLink(pid, `ns/${kind}`));
  if (MACHINE_IS_OURS)
    for (const pid of allPids())
      for (const kind of POD_NAMESPACES) note(names, readProcLink(pid, `ns/${kind}`));
  for (const pid of own)
    for (const fd of entryNames(`/proc/${pid}/fd`)) {
      const target = readProcLink(pid, `fd/${fd}`);
      const kind = target?.split(':[')[0] ?? '';
      if (target === undefined || !NAMESPACES.includes(kind)) continue;
      names.set(target, pid === node.daemonPid ? inDaemon(kind) : target);
    }
  for (const mount of mountInfo(node.holder)) if (mount.fstype === 'nsfs') note(names, mount.root);
  // What a node or a daemon has for itself bears no number: both can come back with another one.
  for (const thread of entryNames(`/proc/${node.daemonPid}/task`))
    for (const kind of NAMESPACES) {
      const name = readProcLink(node.daemonPid!, `task/${thread}/ns/${kind}`);
      if (name !== undefined && name !== readProcLink(node.daemonPid!, `ns/${kind}`))
        names.set(name, `${kind} of a thread of the daemon`);
    }
  for (const kind of NAMESPACES) {
    const name = readProcLink(node.holder, `ns/${kind}`);
    if (name !== undefined) names.set(name, `${kind} of the node`);
  }
  return [...names.values()].sort();
}

/** Whether the daemon's thread for sandboxes has come, with descriptors of its own, between the two. */
function grewUp(before: Census, after: Census): boolean {
  return !before.namespaces.includes(ROOM) && after.namespaces.includes(ROOM);
}

function inDaemon(kind: string): string {
  return `${kind} in a descriptor of the daemon`;
}

function note(names: Map<string, string>, name: string | undefined): void {
  if (name !== undefined) names.set(name, name);
}

interface Mount {
  target: string;
  fstype: string;
  root: string;
}

function mountInfo(pid: number): Mount[] {
  const text = readProc(pid, 'mountinfo') ?? '';
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const fields = line.split(' ');
      return { root: fields[3]!, target: fields[4]!, fstype: fields[fields.indexOf('-') + 1]! };
    });
}

/** The node's mount table; that of the daemon too, should it have gone into one of its own. */
function mountsOf(node: CensusSubject): string[] {
  const line = ({ target, fstype, root }: Mount): string => `${target} (${fstype} ${root})`;
  const lines = mountInfo(node.holder).map(line);
  const { daemonPid } = node;
  if (daemonPid !== undefined && readProcLink(daemonPid, 'ns/mnt') !== readProcLink(node.holder, 'ns/mnt'))
    lines.push(...mountInfo(daemonPid).map((mount) => `of the daemon: ${line(mount)}`));
  return lines.sort();
}

function cgroupsOf({ cgroupParent }: CensusSubject): string[] {
  const kubelet = /\/kubepods(\/(besteffort|burstable))?$/;
  return cgroupsBelow(cgroupParent)
    .filter(
      (path) => !path.endsWith(cgroupParent) && !path.endsWith(`${cgroupParent}/node`) && !kubelet.test(path),
    )
    .sort();
}

interface IpAddress {
  ifname: string;
  link_type: string;
  linkinfo?: { info_kind?: string };
  master?: string;
  addr_info: { local: string; prefixlen: number; scope: string }[];
}

async function networkOf(space: NodeSpace): Promise<Pick<Census, 'links' | 'addresses' | 'routes'>> {
  const [links, routes4, routes6] = await Promise.all([
    space.run(['ip', '-details', '-json', 'address', 'show']),
    space.run(['ip', '-4', 'route', 'show', 'table', 'all']),
    space.run(['ip', '-6', 'route', 'show', 'table', 'all']),
  ]);
  const parsed = JSON.parse(links || '[]') as IpAddress[];
  return {
    links: parsed.map(
      ({ ifname, linkinfo, master = '-' }) => `${ifname} (${linkinfo?.info_kind ?? 'plain'}, in ${master})`,
    ),
    // Link-local addresses come and go with the state of the links.
    addresses: parsed.flatMap(({ ifname, addr_info }) =>
      addr_info
        .filter(({ scope }) => scope !== 'link')
        .map(({ local, prefixlen }) => `${local}/${prefixlen} on ${ifname}`),
    ),
    routes: `${routes4}${routes6}`
      .split('\n')
      .map((line) => line.replace(/ (linkdown|expires \S+|pref \S+)/g, '').trim())
      .filter((line) => line !== '' && !/^(fe80:|local fe80:|multicast |anycast |ff00:)/.test(line)),
  };
}

/** Rules of all tables without counters; chains that the kernel itself has are left out. */
async function rulesOf(space: NodeSpace): Promise<string[]> {
  const lines: string[] = [];
  for (const program of ['iptables-save', 'ip6tables-save']) {
    let table = '';
    for (const line of (await space.run([program])).split('\n')) {
      if (line.startsWith('*')) table = line.slice(1);
      else if (/^:[A-Z]+ ACCEPT/.test(line) || line.startsWith('#') || line === 'COMMIT' || line === '')
        continue;
      else
        lines.push(`${program.replace('-save', '')} -t ${table} ${line.replace(/\[\d+:\d+\]/g, '').trim()}`);
    }
  }
  return [...lines, ...(await nativeTables(space))];
}

/** Tables of nf_tables that iptables does not show, line by line. */
async function nativeTables(space: NodeSpace): Promise<string[]> {
  const tables = (await space.run(['nft', 'list', 'tables'])).split('\n');
  const lines: string[] = [];
  for (const table of tables) {
    if (table === '' || / (nat|filter|mangle|raw|security)$/.test(table)) continue;
    const text = await space.run(['nft', '-s', 'list', ...table.split(' ')]);
    lines.push(...text.split('\n').map((line) => `${table}: ${line.trim()}`));
  }
  return lines;
}

function processLines(node: CensusSubject): string[] {
  return processesOf(node)
    .filter(({ pid }) => pid !== node.daemonPid)
    .map(
      ({ pid, startTime, command }) => `${command.slice(0, 160)} (pid ${pid}, started at tick ${startTime})`,
    );
}

/** Open descriptors: files by their path, the rest by what they are. */
function descriptorsOf(pid: number | undefined): string[] {
  if (pid === undefined) return [];
  return entryNames(`/proc/${pid}/fd`)
    .map((fd) => readProcLink(pid, `fd/${fd}`))
    .filter((target) => target !== undefined)
    .map((target) => target.replace(/:\[\d+\]$/, ''))
    .sort();
}

/** Rows that a node keeps once a range, not once a pod: where the search for a free address goes on. */
const NODE_RECORDS = ['address-cursors'];

function recordsOf(file: string): string[] {
  if (!existsSync(file)) return [];
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    database.exec('PRAGMA busy_timeout = 2000');
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    return tables
      .map(({ name }) => name as string)
      .filter((name) => name === 'records' || name === 'quarantine')
      .flatMap((name) =>
        database
          .prepare(`SELECT kind, id FROM ${name} ORDER BY kind, id`)
          .all()
          .filter(({ kind }) => !NODE_RECORDS.includes(String(kind)))
          .map(
            ({ kind, id }) => `${name === 'quarantine' ? 'quarantined ' : ''}${String(kind)} ${String(id)}`,
          ),
      );
  } finally {
    database.close();
  }
}

/**
 * Paths below `top`, links not followed. The record store's own files are left out: the database, its log and that
 * log's index, and the two files that keep room for the next log (`ground/reserve.ts`).
 */
function entriesBelow(top: string, depth: number): string[] {
  return entryNames(top)
    .filter((name) => !/^berth\.db(-wal|-shm|\.reserve-[12])?$/.test(name))
    .sort()
    .flatMap((name) => {
      const path = join(top, name);
      return depth > 1 ? [path, ...entriesBelow(path, depth - 1)] : [path];
    });
}

function entryNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // gone meanwhile, or no directory
  }
}
