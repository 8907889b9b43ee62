import { type ConfigList, isJsonObject } from '../cni/config-list.ts';
import { addToNetwork, collectGarbage, deleteFromNetwork, type PodInterface } from '../cni/network-list.ts';
import type { BuiltInPlugins } from '../cni/built-in-plugins.ts';
import { podAddresses } from '../cni/result.ts';
import { Fault, messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { RecordStore, RecordTable } from '../ground/records.ts';
import { isNsfs } from '../native/namespaces.ts';
import { type CniAttachment, CniDepartures } from './cni-departures.ts';
import { loopbackUp } from './pod-link.ts';
import { podCapabilities } from './pod-capabilities.ts';
import type { AttachRequest, Attachment } from './pod-network.ts';

/** The name that the kubelet and its tools expect. */
const IF_NAME = 'eth0';

/** Pods whose network CNI plugins make. What was added is durable in the table `cni-attachments` before plugins run. */
export class CniNetwork {
  readonly #runner: BuiltInPlugins;
  readonly #table: RecordTable<CniAttachment>;
  readonly #log: Log;
  readonly #departures: CniDepartures;

  constructor(records: RecordStore, runner: BuiltInPlugins, log: Log) {
    this.#table = records.table('cni-attachments', checkAttachment);
    this.#runner = runner;
    this.#log = log;
    this.#departures = new CniDepartures(runner, this.#table, log);
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
      capabilities: podCapabilities(request, podCidr, list.name),
    };
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
    ).catch((error: unknown) => {
      if (undone) this.#table.delete(id);
      throw error;
    });
    const attached: CniAttachment = { list, pod, result };
    this.#table.put(id, attached);
    const addresses = podAddresses(result, IF_NAME);
    try {
      await loopback;
      if (addresses.length === 0)
        throw new Fault('internal', `The CNI network ${list.name} gave the pod no address`);
    } catch (error) {
      await this.detach(request, undefined);
      throw error;
    }
    return { network: 'cni', addresses, detail: { ...attached } };
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
    if (attached === undefined || attached.leaving === true) return;
    if (attached.result !== undefined && this.#runner.servesAll(attached.list))
      return this.#departures.begin(request.id, attached);
    await this.#delete(attached, signal);
    this.#table.delete(request.id);
  }

  /** DEL for all sandboxes that are not in `live`, a few at a time. What fails is kept and tried at the next start. */
  async gc(live: Set<string>, current: ConfigList | undefined): Promise<void> {
    const rows = this.#table.all();
    const dead = rows.filter(({ id }) => !live.has(id));
    const next = dead.values();
    const worker = async (): Promise<void> => {
      for (const { id, value } of next) {
        if (value.leaving === true) {
          this.#departures.resume(id, value);
          continue;
        }
        try {
          await this.#delete(value);
          this.#table.delete(id);
        } catch (error) {
          this.#log.warn({ sandbox: id, error: messageOf(error) }, 'CNI DEL of a dead sandbox failed');
        }
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    if (current === undefined) return;
    const valid = rows
      .filter(({ id, value }) => live.has(id) && value.list.name === current.name)
      .map(({ id }) => ({ containerID: id, ifname: IF_NAME }));
    try {
      await collectGarbage(this.#runner, current, valid);
    } catch (error) {
      this.#log.warn({ network: current.name, error: messageOf(error) }, 'CNI GC failed');
    }
  }

  /** Departures that are under way go on after the next start. */
  async close(): Promise<void> {
    await this.#departures.close();
  }

  async #delete({ list, pod, result }: CniAttachment, signal?: AbortSignal): Promise<void> {
    // After a reboot the pin is a plain file: plugins must not take the node's own namespace for the pod's.
    const netns = isNsfs(pod.netns) ? pod.netns : '';
    await deleteFromNetwork(this.#runner, list, { ...pod, netns }, result, signal);
  }
}

function attachedIn(attachment: Attachment | undefined): CniAttachment | undefined {
  return attachment?.network === 'cni' ? checkAttachment(attachment.detail) : undefined;
}

function checkAttachment(value: unknown): CniAttachment {
  if (!isJsonObject(value) || !isJsonObject(value['list']) || !isJsonObject(value['pod']))
    throw new Fault('data-loss', 'Not a CNI attachment');
  return value as unknown as CniAttachment;
}
