import { Turn } from '../../ground/turn.ts';
import { cgroupStats } from '../cgroup/stats.ts';
import type { Container } from '../container.ts';
import { containerView, listContainers } from '../container-view.ts';
import type { Parts } from '../parts.ts';
import type { ContainerFilter, ContainerStats } from '../pods.ts';
import { LayerWatch, type LayerUsage } from './layer-usage.ts';
import { UsageWatch, type When } from './usage-watch.ts';

/** ContainerStats: what a container uses just now. One that does not run uses nothing but its writable layer. */
export async function containerStats(parts: Parts, container: Container): Promise<ContainerStats> {
  return statsWith(parts, container, await layerUsage(parts, container), 'now');
}

/**
 * ListContainerStats: the same of all that run and fit the filter. One that ends meanwhile is left out; so is one
 * whose numbers cannot be read, with a word in the log.
 */
export async function listContainerStats(parts: Parts, filter: ContainerFilter): Promise<ContainerStats[]> {
  const running = listContainers(parts, { ...filter, state: 'running' });
  return statsOfAll(
    parts,
    running.flatMap(({ id }) => parts.containers.lookup(id) ?? []),
    'lately',
  );
}

/** Statistics of these containers as far as they run. */
export async function statsOfAll(
  parts: Parts,
  containers: Container[],
  when: When,
): Promise<ContainerStats[]> {
  const layers = await Promise.all(containers.map((container) => layerUsage(parts, container)));
  const all: ContainerStats[] = [];
  const turn = new Turn();
  for (const [index, container] of containers.entries()) {
    await turn.rest();
    try {
      const stats = statsWith(parts, container, layers[index], when);
      if (stats.usage !== undefined) all.push(stats);
    } catch (error) {
      parts.log.warn({ container: container.id, error }, 'statistics of a container could not be read');
    }
  }
  return all;
}

/** The writable layer's size as last seen. */
function layerUsage(parts: Parts, container: Container): Promise<LayerUsage | undefined> {
  container.layer ??= new LayerWatch((signal) => parts.images.snapshots.usage(container.id, signal));
  return container.layer.usage(() => parts.clock.nowNs());
}

function statsWith(
  parts: Parts,
  container: Container,
  writableLayer: LayerUsage | undefined,
  when: When,
): ContainerStats {
  const nowNs = parts.clock.nowNs();
  const { alive, record } = container;
  container.usage ??= new UsageWatch(record.startedAtNs || record.createdAtNs);
  const found = alive ? container.usage[when](nowNs, () => cgroupStats(record.cgroupPath)) : undefined;
  return {
    container: containerView(parts, container),
    cgroupPath: record.cgroupPath,
    timestampNs: found?.atNs ?? nowNs,
    writableLayer,
    ...(found === undefined ? {} : { usage: found.usage }),
  };
}
