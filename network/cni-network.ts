import { type ConfigList, isJsonObject } from '../cni/config-list.ts';
import { addToNetwork, collectGarbage, deleteFromNetwork, type PodInterface } from '../cni/network-list.ts';
import type { BuiltInPlugins } from '../cni/built-in-plugins.ts';
import { podAddresses } from '../cni/result.ts';
import { Fault, messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { RecordStore, RecordTable } from '../ground/records.ts';
import { sleep } from '../ground/wait.ts';
import { isNsfs } from '../native/namespaces.ts';
import { type CniAttachment, CniDepartures } from './cni-departures.ts';
import { type HostPortOwner, type HostPortOwners } from './host-port-owners.ts';
import { checkPort } from './host-ports.ts';
import { loopbackUp } from './pod-link.ts';
import { podCapabilities } from './pod-capabilities.ts';
import type { AttachRequest, Attachment, HostPort } from './pod-network.ts';

/** The name that the kubelet and its tools expect. */
const IF_NAME = 'eth0';

/** How long a pod waits for a port that one that is leaving still has. */
const PORT_PATIENCE_MS = 5000;

export interface CniNetworkOptions {
  records: RecordStore;
  runner: BuiltInPlugins;
  log: Log;
  /** Who has which port of the node by any of its networks. */
  owners: HostPortOwners;
  /** Hears of steps, for tests. */
  step?: (name: string) => void;
}

/** Pods whose network CNI plugins make. What was added is durable in the table `cni-attachments` before plugins run. */
export class CniNetwork {
  readonly #runner: BuiltInPlugins;
  readonly #table: RecordTable<CniAttachment>;
  readonly #log: Log;
  readonly #owners: HostPortOwners;
  readonly #departures: CniDepartures;
  readonly #step: (name: string) => void;
  /** Dead sandboxes whose DEL has failed, and that nobody else asks for. */
  readonly #owed = new Map<string, CniAttachment>();

  constructor({ records, runner, log, owners, step = () => undefined }: CniNetworkOptions) {
    this.#table = records.table('cni-attachments', checkAttachment);
    this.#runner = runner;
    this.#log = log;
    this.#owners = owners;
    this.#step = step;
    this.#departures = new CniDepartures(runner, this.#table, log, (id) => owners.free(id));
    for (const { id, value } of this.#table.all())
      owners.restore({ id, name: nameOf(value.pod), ports: portsOf(value) });
  }

  has(id: string): boolean {
    return this.#table.get(id) !== undefined;
  }

  async attach(
    request: AttachRequest,
    list: ConfigList,
    podCidr: string,
    signal?: AbortSignal,
  ): Promise<Attachment> {
    const { id, netnsPath } = request;
    const pod: PodInterface = {
      containerId: id,
      netns: netnsPath,
      ifName: IF_NAME,
      args: {
        IgnoreUnknown: '1',
        K8S_POD_NAMESPACE: request.podNamespace,
        K8S_POD_NAME: request.podName,
        K8S_POD_INFRA_CONTAINER_ID: id,
        K8S_POD_UID: request.podUid,
      },
      capabilities: podCapabilities(request, podCidr),
    };
    const ports = portsOf({ list, pod });
    if (ports.length > 0) await this.#claim({ id, name: nameOf(pod), ports }, signal);
    this.#table.put(id, { list, pod });
    const loopback = loopbackUp(netnsPath);
    // Its failure is told below; the plugins need not wait for it.
    loopback.catch(() => undefined);
    let undone = true;
    const result = await addToNetwork(
      this.#runner,
      list,
      pod,
      (error) => {
        undone = false;
        this.#log.warn(
          { sandbox: id, error: messageOf(error) },
          'CNI DEL after a failed ADD did not succeed',
        );
      },
      signal,
      (so) => this.#table.put(id, { list, pod, result: so }),
    ).catch((error: unknown) => {
      if (undone) this.#forget(id);
      throw error;
    });
    const addresses = podAddresses(result, IF_NAME);
    try {
      await loopback;
      if (addresses.length === 0)
        throw new Fault('internal', `The CNI network ${list.name} gave the pod no address`);
      for (const port of ports) checkPort(port, addresses);
    } catch (error) {
      await this.detach(request, undefined);
      throw error;
    }
    return { network: 'cni', addresses, detail: { list, pod, result } };
  }

  /**
   * DEL as ADD was; nothing when there was none. Where all plugins run in this process it is done when the intent is
   * durable, and follows in the background. Else throws the plugin's Fault: the record stays for the next try.
   */
  async detach(
    request: AttachRequest,
    attachment: Attachment | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    const attached = this.#table.get(request.id) ?? attachedIn(attachment);
    if (attached === undefined) return;
    if (attached.leaving === true) return this.#departures.resume(request.id, attached);
    if (attached.result !== undefined && this.#runner.servesAll(attached.list))
      return this.#leave(request.id, attached);
    await this.#delete(attached, signal);
    this.#forget(request.id);
  }

  /** DEL for all sandboxes that are not in `live`, a few at a time. What fails is kept for `retry`. */
  async gc(
    live: Set<string>,
    current: ConfigList | undefined,
    progress: (step: string) => void = () => {},
  ): Promise<void> {
    const rows = this.#table.all();
    // Whose sandbox was about to be released lives on for its owner, and leaves all the same.
    for (const { id, value } of rows) if (value.leaving === true) this.#departures.resume(id, value);
    const dead = rows.filter(({ id, value }) => !live.has(id) && value.leaving !== true);
    const next = dead.values();
    let done = 0;
    const worker = async (): Promise<void> => {
      for (const { id, value } of next) {
        try {
          await this.#delete(value);
          this.#forget(id);
        } catch (error) {
          this.#owed.set(id, value);
          this.#log.warn({ sandbox: id, error: messageOf(error) }, 'CNI DEL of a dead sandbox failed');
        }
        progress(`Releasing the networks of dead pods: ${++done} of ${dead.length}`);
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    if (current === undefined) return;
    const valid = rows
      .filter(({ id, value }) => (live.has(id) || value.leaving === true) && value.list.name === current.name)
      .map(({ id }) => ({ containerID: id, ifname: IF_NAME }));
    try {
      await collectGarbage(this.#runner, current, valid);
    } catch (error) {
      this.#log.warn({ network: current.name, error: messageOf(error) }, 'CNI GC failed');
    }
  }

  /** Tries again what `gc` could not do. Never rejects. */
  async retry(): Promise<void> {
    for (const [id, attached] of this.#owed) {
      try {
        if (this.has(id)) await this.#delete(attached);
      } catch {
        continue; // said by gc
      }
      this.#owed.delete(id);
      this.#forget(id);
    }
  }

  /** Departures that are under way go on after the next start. */
  async close(): Promise<void> {
    await this.#departures.close();
  }

  /** A port of a pod that is leaving is waited for: its rules go in the background. */
  async #claim(owner: HostPortOwner, signal?: AbortSignal): Promise<void> {
    const rivals = this.#owners.rivals(owner.id, owner.ports);
    if (rivals.length > 0) {
      const released = Promise.all(rivals.map(async (id) => await this.#departures.whenReleased(id)));
      const enough = new AbortController();
      await Promise.race([
        released,
        sleep(PORT_PATIENCE_MS, AbortSignal.any([enough.signal, ...(signal === undefined ? [] : [signal])])),
      ]).finally(() => enough.abort());
    }
    this.#owners.claim(owner);
  }

  #leave(id: string, attached: CniAttachment): void {
    this.#departures.begin(id, attached);
    this.#step('leaving');
  }

  #forget(id: string): void {
    this.#table.delete(id);
    this.#owners.free(id);
  }

  async #delete({ list, pod, result }: CniAttachment, signal?: AbortSignal): Promise<void> {
    // After a reboot the pin is a plain file: plugins must not take the node's own namespace for the pod's.
    const netns = isNsfs(pod.netns) ? pod.netns : '';
    await deleteFromNetwork(this.#runner, list, { ...pod, netns }, result, signal);
  }
}

/** The host ports that plugins of the list lead to the pod. Lists without such a plugin claim none. */
function portsOf({ list, pod }: Pick<CniAttachment, 'list' | 'pod'>): HostPort[] {
  const serves = list.plugins.some(
    ({ capabilities }) => isJsonObject(capabilities) && capabilities['portMappings'] === true,
  );
  const given = pod.capabilities['portMappings'];
  if (!serves || !Array.isArray(given)) return [];
  return (given as (HostPort & { hostIP: string })[]).map(
    ({ protocol, hostPort, containerPort, hostIP: hostIp }) => ({
      protocol,
      hostPort,
      containerPort,
      hostIp,
    }),
  );
}

function nameOf({ args }: PodInterface): string {
  return `${args['K8S_POD_NAMESPACE']}/${args['K8S_POD_NAME']}`;
}

function attachedIn(attachment: Attachment | undefined): CniAttachment | undefined {
  return attachment?.network === 'cni' ? checkAttachment(attachment.detail) : undefined;
}

function checkAttachment(value: unknown): CniAttachment {
  if (!isJsonObject(value) || !isJsonObject(value['list']) || !isJsonObject(value['pod']))
    throw new Fault('data-loss', 'Not a CNI attachment');
  return value as unknown as CniAttachment;
}
