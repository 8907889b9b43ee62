import type { SandboxConfig } from './config.ts';
import type { Container } from './container.ts';
import { containerNow } from './container-view.ts';
import type { QueueBounds } from './event-queue.ts';
import type { Parts } from './parts.ts';
import type { PodEvent, PodEventKind } from './pods.ts';
import type { Sandbox } from './sandbox.ts';
import { sandboxNow } from './sandbox-view.ts';

/** What an object takes beside its texts: its status has some twenty fields. */
const OBJECT_BYTES = 1024;
const MOUNT_BYTES = 256;

/**
 * What a subscriber may be behind: as many events as the peers keep, and no more than a few of pods whose annotations
 * are megabytes.
 */
export const EVENTS_AHEAD: QueueBounds<PodEvent> = {
  items: 1000,
  bytes: 16 * 1024 * 1024,
  sizeOf: sizeOfEvent,
};

function sizeOfEvent({ sandbox, containers }: PodEvent): number {
  return containers.reduce(
    (sum, { config, message }) =>
      sum + sizeOfObject(config) + message.length + MOUNT_BYTES * config.mounts.length,
    sizeOfObject(sandbox.config),
  );
}

function sizeOfObject(config: Pick<SandboxConfig, 'labels' | 'annotations'>): number {
  let bytes = OBJECT_BYTES;
  for (const texts of [config.labels, config.annotations])
    for (const name in texts) bytes += name.length + texts[name]!.length;
  return bytes;
}

/** Tells who listens that a sandbox has come to another state. Costs nothing while nobody listens. */
export function announceSandbox(parts: Parts, sandbox: Sandbox, kind: PodEventKind): void {
  parts.events.publish(() => eventOf(parts, sandbox, sandbox.id, kind));
}

/** Tells who listens that a container has come to another state. One without a sandbox is nobody's business. */
export function announceContainer(parts: Parts, container: Container, kind: PodEventKind): void {
  const sandbox = parts.sandboxes.lookup(container.record.sandboxId);
  if (sandbox !== undefined) parts.events.publish(() => eventOf(parts, sandbox, container.id, kind));
}

function eventOf(parts: Parts, sandbox: Sandbox, id: string, kind: PodEventKind): PodEvent {
  const listed = [...sandbox.containers.values()].filter(({ record }) => record.phase !== 'creating');
  return {
    id,
    kind,
    atNs: parts.clock.nowNs(),
    sandbox: sandboxNow(parts, sandbox),
    containers: listed.map((container) => containerNow(parts, container)),
  };
}
