import { existsSync, readlinkSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { removeIdlePodCgroups } from '../pod-cgroups.ts';
import { ContainerState, SandboxState } from '../pods.ts';
import { podDirectory, type DesiredPod } from './desired.ts';
import type { ListedContainer, Listing } from './expectations.ts';
import type { KubeletParts } from './parts.ts';
import { orGone, UID_LABEL } from './pod-status.ts';

/**
 * A kubelet's container garbage collection: of each container of a pod the newest dead one stays, of a pod that is
 * gone none; then sandboxes that are not ready and hold nothing, but a living pod's newest; then what is left of logs.
 */
export class Garbage {
  readonly #parts: KubeletParts;

  constructor(parts: KubeletParts) {
    this.#parts = parts;
  }

  /** `isGone`: whether a pod has been stopped for good. */
  async collect({ sandboxes, containers }: Listing, isGone: (uid: string) => boolean): Promise<void> {
    const { line, ledger, book } = this.#parts;
    const newestFirst = (a: { createdAt: bigint }, b: { createdAt: bigint }): number =>
      Number(b.createdAt - a.createdAt);
    const kept = new Set<string>();
    const removed = new Set<string>();
    const dead = containers.filter(({ state }) => state !== ContainerState.RUNNING).sort(newestFirst);
    for (const container of dead) {
      const uid = container.labels[UID_LABEL] ?? '';
      const name = `${uid}/${container.metadata?.name}`;
      if (!isGone(uid) && !this.#isStale(container) && !kept.has(name)) {
        kept.add(name);
        continue;
      }
      ledger.remove(container.id);
      await line.call('RemoveContainer', { containerId: container.id });
      removed.add(container.id);
      book.did('containers removed');
    }
    const left = containers.filter(({ id }) => !removed.has(id));
    const newest = new Set<string>();
    for (const { id, state, labels } of sandboxes.toSorted(newestFirst)) {
      const uid = labels[UID_LABEL] ?? '';
      const first = !newest.has(uid);
      newest.add(uid);
      if (state === SandboxState.READY || left.some(({ podSandboxId }) => podSandboxId === id)) continue;
      if (first && !isGone(uid)) continue;
      ledger.remove(id);
      await orGone(line.call('StopPodSandbox', { podSandboxId: id }, { tolerate: ['NOT_FOUND'] }));
      await line.call('RemovePodSandbox', { podSandboxId: id });
      book.did('sandboxes removed');
    }
    this.#files();
  }

  /** A container that was made and never started, because its kubelet or daemon went: it is nobody's. */
  #isStale({ state, id }: ListedContainer): boolean {
    return state === ContainerState.CREATED && !this.#parts.ledger.containers.has(id);
  }

  /** Links to logs that are gone. */
  #files(): void {
    const { node } = this.#parts;
    const links = join(node.directory, 'kubelet/log-links');
    for (const name of readdirSync(links)) {
      const link = join(links, name);
      if (!existsSync(readlinkSync(link))) rmSync(link, { force: true });
    }
  }

  /** What a kubelet removes when a pod's last object is gone. */
  forget(pod: DesiredPod): void {
    const { node } = this.#parts;
    removeIdlePodCgroups(node.cgroupParent, pod.uid);
    rmSync(podDirectory(node, pod), { recursive: true, force: true });
    rmSync(pod.sandbox.logDirectory!, { recursive: true, force: true });
  }
}
