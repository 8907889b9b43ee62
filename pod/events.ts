import type { Container } from './container.ts';
import { containerView } from './container-view.ts';
import type { Parts } from './parts.ts';
import type { PodEvent, PodEventKind } from './pods.ts';
import type { Sandbox } from './sandbox.ts';
import { sandboxView } from './sandbox-view.ts';

/** Events that a subscriber may be behind: as many as the peers keep. */
export const EVENTS_AHEAD = 1000;

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
    sandbox: sandboxView(parts, sandbox),
    containers: listed.map((container) => containerView(parts, container)),
  };
}
