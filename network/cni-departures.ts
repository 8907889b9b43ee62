import type { ConfigList, JsonObject } from '../cni/config-list.ts';
import { deleteFromNetwork, type PodInterface } from '../cni/network-list.ts';
import type { PluginCaller } from '../cni/plugin-runner.ts';
import { messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { RecordTable } from '../ground/records.ts';
import { linkNames } from './link-names.ts';
import { deleteLinks } from './pod-link.ts';

/**
 * A pod's attachment by CNI plugins. Durable:
 *
 *     (none) --ADD begins--> staying --detach--> leaving --DEL is through--> (none)
 *
 * `leaving`: the pod is gone for its owner; rules, link and addresses follow.
 */
export interface CniAttachment {
  list: ConfigList;
  pod: PodInterface;
  /** Absent while ADD runs, and when it failed. */
  result?: JsonObject;
  /** Absent: staying. */
  leaving?: true;
}

/** How often it looks whether links are gone. */
const INTERVAL_MS = 100;
/** A link goes with its namespace. One that outlives it for so long is deleted. */
const PATIENCE_MS = 5000;
const RETRY_MS = 5000;
const LINK_NAME = /^veth[0-9a-f]{8}$/;

interface Leaving {
  attachment: CniAttachment;
  /** Rules are gone. */
  released: boolean;
  onRelease: PromiseWithResolvers<void>;
  /** When its link is deleted, and not before when a try has failed. */
  due: number;
  notBefore: number;
}

/**
 * Takes pods off networks whose plugins all run in this process, after their owner was told that it is done: first what
 * leads packets to them, then, when the kernel has taken their link apart, their addresses. So an address
 * is never given to somebody else while the old pod could still answer, and nobody waits for the kernel.
 */
export class CniDepartures {
  readonly #caller: PluginCaller;
  readonly #table: RecordTable<CniAttachment>;
  readonly #log: Log;
  readonly #released: (id: string) => void;
  readonly #leaving = new Map<string, Leaving>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  /** `released` hears when nothing leads to a pod any more. */
  constructor(
    caller: PluginCaller,
    table: RecordTable<CniAttachment>,
    log: Log,
    released: (id: string) => void,
  ) {
    this.#caller = caller;
    this.#table = table;
    this.#log = log;
    this.#released = released;
  }

  /** Begins: durable when this returns. A pod that is leaving already stays so. */
  begin(id: string, attachment: CniAttachment): void {
    if (this.#leaving.has(id)) return;
    const leaving: CniAttachment = { ...attachment, leaving: true };
    this.#table.put(id, leaving);
    this.resume(id, leaving);
  }

  /** Goes on with one whose record says that it is leaving. Nothing when that is under way. */
  resume(id: string, attachment: CniAttachment): void {
    if (this.#leaving.has(id)) return;
    this.#leaving.set(id, {
      attachment,
      released: false,
      onRelease: Promise.withResolvers(),
      due: performance.now() + PATIENCE_MS,
      notBefore: 0,
    });
    this.#schedule(0);
  }

  /** Waits until nothing leads to this pod any more. At once for one that is not leaving. */
  async whenReleased(id: string): Promise<void> {
    await this.#leaving.get(id)?.onRelease.promise;
  }

  /** How many have not left. */
  get size(): number {
    return this.#leaving.size;
  }

  /** Waits for the step that runs; the rest is done after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(ms: number): void {
    if (this.#timer !== undefined || this.#running !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#turn().finally(() => {
        this.#running = undefined;
        if (this.#leaving.size > 0) this.#schedule(INTERVAL_MS);
      });
    }, ms).unref();
  }

  async #turn(): Promise<void> {
    const now = performance.now();
    const ready = [...this.#leaving].filter(([, { notBefore }]) => now >= notBefore);
    await Promise.all(
      ready.filter(([, one]) => !one.released).map(async ([id, one]) => await this.#release(id, one)),
    );
    const present = linkNames();
    for (const [id, one] of ready) {
      if (!one.released || this.#closed) continue;
      const links = linksOf(one.attachment).filter((name) => present.has(name));
      if (links.length > 0 && performance.now() < one.due) continue;
      await this.#finish(id, one, links);
    }
  }

  /** All plugins but the one that made the link: what leads to the pod. They run side by side, and share transactions. */
  async #release(id: string, one: Leaving): Promise<void> {
    await this.#attempt(id, one, async ({ list, pod, result }) => {
      await deleteFromNetwork(this.#caller, list, { ...pod, netns: '' }, result, undefined, {
        from: 1,
        to: list.plugins.length,
      });
      one.released = true;
      this.#released(id);
      one.onRelease.resolve();
    });
  }

  async #finish(id: string, one: Leaving, links: string[]): Promise<void> {
    await this.#attempt(id, one, async ({ list, pod, result }) => {
      if (links.length > 0)
        this.#log.warn({ sandbox: id, links }, 'Links have outlived their pod; they are deleted');
      await deleteLinks(links);
      await deleteFromNetwork(this.#caller, list, { ...pod, netns: '' }, result, undefined, {
        from: 0,
        to: 1,
      });
      this.#table.delete(id);
      this.#leaving.delete(id);
    });
  }

  async #attempt(
    id: string,
    one: Leaving,
    step: (attachment: CniAttachment) => Promise<void>,
  ): Promise<void> {
    try {
      await step(one.attachment);
    } catch (error) {
      one.notBefore = performance.now() + RETRY_MS;
      this.#log.warn(
        { sandbox: id, error: messageOf(error) },
        'A pod cannot leave its network yet; it is tried again',
      );
    }
  }
}

/** The links on the node that go with the pod's namespace. */
function linksOf({ result }: CniAttachment): string[] {
  const interfaces: unknown[] = Array.isArray(result?.['interfaces']) ? result['interfaces'] : [];
  return (interfaces as { name?: unknown; sandbox?: unknown }[])
    .filter(({ name, sandbox }) => typeof name === 'string' && !sandbox && LINK_NAME.test(name))
    .map(({ name }) => name as string);
}
