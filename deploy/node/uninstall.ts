import { Client, RpcError } from '../../cri/client.ts';
import { Fault, messageOf } from '../../ground/fault.ts';
import { UNIT } from './generation.ts';
import { removeNetwork } from './network-remains.ts';
import type { Node } from './node.ts';
import { standing } from './serving.ts';
import { CURRENT, JOURNAL, PREFIX, RELEASES, removeState } from './state.ts';

const CALL_MS = 60_000;
const STOP_MS = 60_000;

export interface UninstallOptions {
  /** Stops and removes pods that run. */
  force?: boolean;
  /** Leaves images, containers and records where they are. */
  keepData?: boolean;
}

/**
 * Takes Berth off the node: pods that have ended, the daemon, all files that the installer made; what they replaced
 * comes back. Returns what stays, with the reason. Rejects with Fault `precondition`, before anything is changed, while
 * pods run or the kubelet is pointed at Berth.
 */
export async function uninstall(node: Node, options: UninstallOptions = {}): Promise<string[]> {
  const { state } = node;
  if (state.kubelet !== undefined && state.kubelet.phase !== 'restored')
    throw new Fault('precondition', 'The kubelet of this node is pointed at Berth', {
      hint: 'drain the node and point it back first: berth node kubelet restore',
    });
  const generation = state.current ?? (state.change?.kind === 'install' ? state.change.to : undefined);
  if (generation !== undefined && state.change?.kind !== 'uninstall')
    await removePods(node, node.files.at(generation.socket, true), options.force === true);
  if (state.things.length > 0) node.note({ change: { kind: 'uninstall' } });
  const left = await takeAway(node, options.keepData === true ? (generation?.data ?? []) : []);
  removeState(node.files);
  return left;
}

/** Stops the daemon and gives back all that is ours on the node, but for `stay`. Returns what could not go. */
export async function takeAway(node: Node, stay: string[] = []): Promise<string[]> {
  const { belongings, systemd, programs, files, state } = node;
  if ((await systemd.state(UNIT)).known) await systemd.stop(UNIT, STOP_MS);
  const going = belongings.newestFirst().flatMap(({ path }) => (stay.includes(path) ? [] : [path]));
  await programs.unmountBelow(going);
  const left = await removeNetwork(programs, state.links ?? []);
  let unitsChanged = false;
  for (const { path, kind } of belongings.newestFirst()) {
    if (stay.includes(path)) {
      left.push(`${path}: kept as asked for`);
      continue;
    }
    // The state lies below these two: they go last.
    if (path === PREFIX || path === JOURNAL) continue;
    if (path === RELEASES) files.removeTree(RELEASES);
    const others = belongings.giveBack(path);
    if (others.length > 0) left.push(`${path}: holds ${others.join(', ')}`);
    unitsChanged ||= path.startsWith('/etc/systemd/') && kind !== 'directory';
  }
  if (unitsChanged) await systemd.reload();
  state.current = state.previous = undefined;
  return left;
}

/** Removes the pods that there are. Without `force` only those that have ended, and rejects when others run. */
async function removePods(node: Node, socket: string, force: boolean): Promise<void> {
  const { answers, complaint } = await standing(socket, { network: false });
  if (!answers) {
    if ((await node.systemd.state(UNIT)).known) {
      await node.systemd.start(UNIT, STOP_MS).catch(() => {});
      if ((await standing(socket, { network: false })).answers) return removePods(node, socket, force);
    }
    if (force || node.files.kind(CURRENT) === 'absent') return;
    throw new Fault('precondition', `The daemon cannot be asked for its pods: ${complaint}`, {
      hint: 'start it (systemctl start berth), or use --force',
    });
  }
  using client = new Client(socket);
  const { items } = await client.call('ListPodSandbox', {}, { deadlineMs: CALL_MS });
  const running = items.filter(({ state }) => state === 0);
  if (running.length > 0 && !force) {
    const names = running.map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`).sort();
    throw new Fault(
      'precondition',
      `${running.length} pods run: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`,
      {
        hint: 'drain the node first, or stop them with --force',
      },
    );
  }
  for (const { id: podSandboxId } of items) {
    try {
      await client.call('StopPodSandbox', { podSandboxId }, { deadlineMs: CALL_MS });
      await client.call('RemovePodSandbox', { podSandboxId }, { deadlineMs: CALL_MS });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw new Fault('unavailable', `Pod ${podSandboxId} cannot be removed`, { cause: messageOf(error) });
    }
  }
}
