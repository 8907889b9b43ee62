import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process as /proc shows it. */
export interface Process {
  pid: number;
  parent: number;
  /** Clock ticks since boot: tells it from a later process with the same pid. */
  startTime: string;
  state: string;
  command: string;
}

/** What ties a process to a node: any one of these is enough. */
export interface NodeMarks {
  /** Pid whose mount and network namespaces are the node's. */
  holder: number;
  /** Directory that holds all of the node's files. */
  directory: string;
  /** `/berth-test-…` */
  cgroupParent: string;
}

/** All pids of this machine. */
export function allPids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
}

/** The text of a /proc file or link, or undefined when the process is gone. */
export function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return undefined; // gone meanwhile
  }
}

/** What a /proc link points to, or undefined. */
export function readProcLink(pid: number, name: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return undefined; // gone meanwhile, or a kernel thread
  }
}

/** The process, or undefined when it is gone. A zombie is gone for this purpose: it holds nothing. */
export function processOf(pid: number): Process | undefined {
  const stat = readProc(pid, 'stat');
  if (stat === undefined) return undefined;
  const end = stat.lastIndexOf(')');
  const fields = stat.slice(end + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const command = (readProc(pid, 'cmdline') ?? '').split('\0').filter(Boolean).join(' ');
  return {
    pid,
    parent: Number(fields[1]),
    startTime: fields[19]!,
    state: fields[0]!,
    command: command === '' ? stat.slice(stat.indexOf('('), end + 1) : command,
  };
}

/**
 * The processes that belong to a node, without its holder, its registry and this process: those in its namespaces or
 * cgroups, those that refer to its directory, and the descendants of any of them.
 */
export function processesOf(node: NodeMarks): Process[] {
  const processes = allPids()
    .map(processOf)
    .filter((process) => process !== undefined)
    .filter(({ pid, command }) => pid !== node.holder && pid !== process.pid && !BYSTANDER.test(command));
  const namespaces = ['ns/mnt', 'ns/net'].map((name) => readProcLink(node.holder, name));
  const mine = new Set(processes.filter(({ pid }) => bearsMark(pid, node, namespaces)).map(({ pid }) => pid));
  for (let grown = true; grown;) {
    const children = processes.filter(({ pid, parent }) => !mine.has(pid) && mine.has(parent));
    for (const { pid } of children) mine.add(pid);
    grown = children.length > 0;
  }
  return processes.filter(({ pid }) => mine.has(pid));
}

function bearsMark(pid: number, node: NodeMarks, namespaces: (string | undefined)[]): boolean {
  for (const name of ['ns/mnt', 'ns/net']) {
    const own = readProcLink(pid, name);
    if (own !== undefined && namespaces.includes(own)) return true;
  }
  const cgroups = readProc(pid, 'cgroup')?.split('\n') ?? [];
  if (cgroups.some((line) => `${line}/`.includes(`:${node.cgroupParent}/`))) return true;
  for (const name of ['environ', 'cmdline'])
    if (readProc(pid, name)?.includes(`${node.directory}/`) === true) return true;
  for (const name of ['cwd', 'exe', 'root'])
    if (readProcLink(pid, name)?.startsWith(`${node.directory}/`) === true) return true;
  return false;
}

/** What the tests themselves run in a node's namespaces: the registry. */
const BYSTANDER = /^docker-registry serve /;

/** SIGKILL, if it still is that very process. Returns whether a signal was sent. */
export function killProcess({ pid, startTime }: Process): boolean {
  if (processOf(pid)?.startTime !== startTime) return false;
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false; // ended meanwhile
  }
}
