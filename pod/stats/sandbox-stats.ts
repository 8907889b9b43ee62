import { Fault } from '../../ground/fault.ts';
import { Turn } from '../../ground/turn.ts';
import { processAlive } from '../../native/pidfd.ts';
import { processesBelow } from '../cgroup/processes.ts';
import { cgroupStats, type CgroupStats } from '../cgroup/stats.ts';
import type { Parts } from '../parts.ts';
import type { SandboxFilter, SandboxStats } from '../pods.ts';
import { ownNamespaces, type Sandbox } from '../sandbox.ts';
import { listSandboxes, sandboxView } from '../sandbox-view.ts';
import { statsOfAll } from './container-stats.ts';
import { interfacesOf, type InterfaceCounters } from './interfaces.ts';
import { UsageWatch, type When } from './usage-watch.ts';

/** The link that CNI gives every pod (and the built-in network too). */
const DEFAULT_INTERFACE = 'eth0';

/** PodSandboxStats: what a ready pod as a whole uses just now. Throws `precondition` when it is not ready. */
export async function sandboxStats(parts: Parts, sandbox: Sandbox): Promise<SandboxStats> {
  if (!sandbox.ready)
    throw new Fault('precondition', 'It is not ready, so nothing runs in it', { subject: sandbox.subject });
  const [stats] = await statsOf(parts, [sandbox], 'now');
  if (stats !== undefined) return stats;
  throw new Fault('precondition', 'It ended while its statistics were read', { subject: sandbox.subject });
}

/** ListPodSandboxStats: the same of all that are ready and fit the filter. One that ends meanwhile is left out. */
export function listSandboxStats(parts: Parts, filter: SandboxFilter): Promise<SandboxStats[]> {
  const ready = listSandboxes(parts, { ...filter, state: 'ready' });
  return statsOf(
    parts,
    ready.flatMap(({ id }) => parts.sandboxes.lookup(id) ?? []),
    'lately',
  );
}

async function statsOf(parts: Parts, sandboxes: Sandbox[], when: When): Promise<SandboxStats[]> {
  const containers = await statsOfAll(
    parts,
    sandboxes.flatMap((sandbox) =>
      [...sandbox.containers.values()].filter(({ record }) => record.phase === 'running'),
    ),
    when,
  );
  const byPod = Map.groupBy(containers, ({ container }) => container.sandboxId);
  const parents = podsByParent(parts);
  const all: SandboxStats[] = [];
  const turn = new Turn();
  for (const sandbox of sandboxes) {
    await turn.rest();
    try {
      const stats = podStats(parts, sandbox, byPod.get(sandbox.id) ?? [], parents, when);
      if (stats !== undefined) all.push(stats);
    } catch (error) {
      parts.log.warn({ sandbox: sandbox.id, error }, 'statistics of a pod could not be read');
    }
  }
  return all;
}

function podStats(
  parts: Parts,
  sandbox: Sandbox,
  containers: SandboxStats['containers'],
  parents: Map<string, number>,
  when: When,
): SandboxStats | undefined {
  const { record } = sandbox;
  const nowNs = parts.clock.nowNs();
  const own = ownsCgroup(sandbox, parents);
  sandbox.usage ??= new UsageWatch(record.createdAtNs);
  const found = own
    ? sandbox.usage[when](nowNs, () => cgroupStats(record.cgroup!.parent))
    : sandbox.usage.now(nowNs, () => sum(containers.map(({ usage }) => usage!)));
  const network = networkOf(sandbox);
  if (!sandbox.ready || found === undefined) return undefined;
  const paths = own ? [record.cgroup!.parent] : containers.map(({ cgroupPath }) => cgroupPath);
  const processes = paths.reduce((count, path) => count + processesBelow(path).length, 0);
  return {
    sandbox: sandboxView(parts, sandbox),
    timestampNs: found.atNs,
    usage: found.usage,
    network,
    processes,
    containers,
    cgroupPath: own ? record.cgroup!.parent : undefined,
  };
}

/** How many ready pods name each cgroup as their parent. */
function podsByParent(parts: Parts): Map<string, number> {
  const count = new Map<string, number>();
  for (const { ready, record } of parts.sandboxes.values()) {
    const parent = record.cgroup?.parent;
    if (ready && parent !== undefined) count.set(parent, (count.get(parent) ?? 0) + 1);
  }
  return count;
}

/** The numbers of a cgroup are a pod's when it has it for itself. Without a parent of its own it is in the node's. */
function ownsCgroup({ record }: Sandbox, parents: Map<string, number>): boolean {
  const parent = record.cgroup?.parent;
  return parent !== undefined && record.config.cgroupParent !== '' && parents.get(parent) === 1;
}

function sum(all: CgroupStats[]): CgroupStats {
  const total = (pick: (one: CgroupStats) => bigint): bigint => all.reduce((so, one) => so + pick(one), 0n);
  return {
    cpuUsageNs: total((one) => one.cpuUsageNs),
    memoryUsageBytes: total((one) => one.memoryUsageBytes),
    workingSetBytes: total((one) => one.workingSetBytes),
    rssBytes: total((one) => one.rssBytes),
    pageFaults: total((one) => one.pageFaults),
    majorPageFaults: total((one) => one.majorPageFaults),
    ...(all.some(({ swap }) => swap !== undefined)
      ? { swap: { usageBytes: total(({ swap }) => swap?.usageBytes ?? 0n) } }
      : {}),
  };
}

/** Counters of the pod's links; absent for a pod on the node's network, whose links are not its own. */
function networkOf({ record }: Sandbox): SandboxStats['network'] {
  const { made, config } = record;
  if (made === undefined || !ownNamespaces(config).net) return undefined;
  const all = interfacesOf(made.pid);
  // Asked afterwards: a pid that means another process by now has shown another one's links.
  if (!processAlive(made.pid, made.startTime)) return undefined;
  const main: InterfaceCounters | undefined = all.find(({ name }) => name === DEFAULT_INTERFACE) ?? all[0];
  return { main, others: all.filter((one) => one !== main) };
}
