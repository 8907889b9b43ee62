import { Fault } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import type { Cluster } from './cluster.ts';
import { hindrances } from './drained.ts';
import { PROGRAM } from './generation.ts';
import { endpointOf, filesWith } from './kubelet-files.ts';
import type { Node } from './node.ts';
import type { NodeSettings } from './settings.ts';

/** The Node's annotation by which kubeadm finds the runtime (kubeadm-upgrade). */
export const CRI_SOCKET = 'kubeadm.alpha.kubernetes.io/cri-socket';
/** The Node's label by which pods that choose a handler of Berth find it. */
export const KUBELET_LABEL = 'berth.dev/kubelet';
const TURN_UNIT = 'berth-node-kubelet.service';

/** The service that does the turn: on the node and not in a pod, since the pods end. It is gone after a reboot. */
function turnUnit(root: string): string {
  return `[Unit]
Description=Berth: points the kubelet at another runtime

[Service]
Type=oneshot
ExecStart=${PROGRAM} node kubelet turn --host ${root}
`;
}

/** What a node has to be before its kubelet is touched. Returns what is in the way. */
export async function notDrained(cluster: Cluster, name: string): Promise<string[]> {
  return hindrances(await cluster.node(name), await cluster.podsOn(name));
}

/**
 * Asks for the kubelet to be pointed at Berth, or back at what it had. Returns false when that is so already. Rejects
 * with Fault `precondition` when the node is not drained, or nothing is installed.
 */
export async function askForTurn(
  node: Node,
  cluster: Cluster,
  name: string,
  want: 'switched' | 'restored',
  settings: NodeSettings['kubelet'],
): Promise<boolean> {
  const { state, belongings, systemd } = node;
  const { kubelet } = state;
  const going = want === 'switched' ? 'switching' : 'restoring';
  if (kubelet?.phase === want && !(want === 'restored' && kubelet.reason !== undefined)) return false;
  if (want === 'restored' && (kubelet === undefined || kubelet.phase === 'restored')) return false;
  if (kubelet?.phase !== going) {
    const inTheWay = await notDrained(cluster, name);
    if (inTheWay.length > 0)
      throw new Fault('precondition', `Node ${name} is not drained: ${inTheWay.join('; ')}`, {
        hint: `kubectl drain ${name} --ignore-daemonsets`,
      });
    if (want === 'restored') node.note({ kubelet: { ...kubelet!, phase: 'restoring', reason: undefined } });
    else {
      if (state.current === undefined) throw new Fault('precondition', 'Nothing is installed on this node');
      if (!(await systemd.state(settings.unit)).known)
        throw new Fault('precondition', `The node has no ${settings.unit}`, {
          hint: 'name it in kubelet.unit, or point this kubelet at Berth by hand',
        });
      const endpoint = `unix://${state.current.socket}`;
      const before = endpointOf(node.files);
      if (before === endpoint) {
        node.say('the kubelet names this socket already; nothing is changed');
        return false;
      }
      const files = filesWith(node.files, endpoint);
      const { unit, seconds } = settings;
      const annotation = kubelet?.annotation;
      node.note({ kubelet: { phase: 'switching', endpoint, before, unit, seconds, files, annotation } });
    }
  }
  belongings.file(`/run/systemd/system/${TURN_UNIT}`, turnUnit('/'));
  await systemd.reload();
  await systemd.launch(TURN_UNIT);
  return true;
}

/** Tells the cluster which runtime the kubelet has now: kubeadm by an annotation, the scheduler by a label. */
export async function markNode(node: Node, cluster: Cluster, name: string): Promise<void> {
  const { kubelet } = node.state;
  if (kubelet === undefined) return;
  const { annotations } = await cluster.node(name);
  if (kubelet.phase === 'switched') {
    if (kubelet.annotation === undefined)
      node.note({ kubelet: { ...kubelet, annotation: annotations[CRI_SOCKET] ?? null } });
    await cluster.mark(name, {
      annotations: { [CRI_SOCKET]: kubelet.endpoint },
      labels: { [KUBELET_LABEL]: 'true' },
    });
  } else if (kubelet.phase === 'restored') {
    const isOurs = kubelet.annotation !== undefined && annotations[CRI_SOCKET] === kubelet.endpoint;
    await cluster.mark(name, {
      ...(isOurs ? { annotations: { [CRI_SOCKET]: kubelet.annotation ?? null } } : {}),
      labels: { [KUBELET_LABEL]: null },
    });
    node.note({ kubelet: undefined });
  }
}

const PAUSE_MS = 2000;
const REMIND_MS = 60_000;

/** Waits until a node is drained, and says from time to time what is in the way. */
export async function untilDrained(
  cluster: Cluster,
  name: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let saidAt = -Infinity; ;) {
    // The API server may be away; the node is drained when it says so.
    const inTheWay = await notDrained(cluster, name).catch((error: unknown) => [String(error)]);
    if (inTheWay.length === 0) return;
    if (performance.now() - saidAt >= REMIND_MS) {
      say(`the kubelet is pointed at Berth once the node is drained; so far: ${inTheWay.join('; ')}`);
      saidAt = performance.now();
    }
    await sleep(PAUSE_MS, signal);
  }
}
