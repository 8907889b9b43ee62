import type { ContainerView, SandboxView } from '../../pod/pods.ts';
import type { Rooms } from '../handler.ts';
import type { ContainerPart, PodPart } from './parts.ts';

/** The pods of the node, in the order of their creation. */
export function podsOf({ pods, images }: Rooms): PodPart[] {
  const bySandbox = new Map<string, ContainerPart[]>();
  // A container names its image by id when the kubelet made it: many have the same.
  const named = new Map<string, string>();
  for (const container of pods.listContainers({ labels: {} })) {
    const parts = bySandbox.get(container.sandboxId) ?? [];
    parts.push(containerPart(container, named, images));
    bySandbox.set(container.sandboxId, parts);
  }
  return pods
    .listSandboxes({ labels: {} })
    .map((sandbox) => podPart(sandbox, bySandbox.get(sandbox.id) ?? []));
}

function podPart(sandbox: SandboxView, containers: ContainerPart[]): PodPart {
  const { id, config, state, handler, createdAtNs, addresses, hostLink } = sandbox;
  const { name, namespace, attempt } = config.metadata;
  return {
    id,
    name,
    namespace,
    attempt,
    state,
    handler,
    createdAt: time(createdAtNs),
    hostNetwork: config.security.namespaces.network === 'node',
    addresses,
    hostLink,
    hostPorts: config.portMappings
      .filter(({ hostPort }) => hostPort > 0)
      .map(({ protocol, hostIp, hostPort, containerPort }) => ({
        protocol,
        hostIp,
        hostPort,
        containerPort,
      })),
    containers,
  };
}

function containerPart(
  container: ContainerView,
  named: Map<string, string>,
  images: Rooms['images'],
): ContainerPart {
  const { id, config, state, createdAtNs, startedAtNs, finishedAtNs, exitCode, reason, imageId } = container;
  const { image, userSpecifiedImage } = config.image;
  let shown = userSpecifiedImage || named.get(imageId);
  if (shown === undefined) {
    shown = /^(sha256:)?[0-9a-f]{64}$/.test(image) ? (images.find(image)?.repoTags[0] ?? image) : image;
    named.set(imageId, shown);
  }
  return {
    id,
    name: config.metadata.name,
    attempt: config.metadata.attempt,
    state,
    image: shown,
    createdAt: time(createdAtNs),
    startedAt: time(startedAtNs),
    finishedAt: time(finishedAtNs),
    exitCode,
    reason,
  };
}

function time(ns: bigint): string {
  return ns === 0n ? '' : new Date(Number(ns / 1_000_000n)).toISOString();
}
