import { join } from 'node:path';
import { Client, RpcError } from '../../cri/client.ts';
import { Fault, messageOf } from '../../ground/fault.ts';
import { umount } from '../../native/mount.ts';
import { mounts } from '../../native/mountinfo.ts';
import { UNIT } from './generation.ts';
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
  const { belongings, systemd, files, state } = node;
  if ((await systemd.state(UNIT)).known) await systemd.stop(UNIT, STOP_MS);
  await unmountBelow(
    node,
    belongings
      .newestFirst()
      .map(({ path }) => path)
      .filter((path) => !stay.includes(path)),
  );
  const left: string[] = [];
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

/** What the daemon has mounted in its directories would be emptied with them. */
async function unmountBelow(node: Node, paths: string[]): Promise<void> {
  const table = node.files.root === '/' ? mounts() : mounts('/proc/1');
  const targets = table
    .map(({ target }) => target)
    .filter((target) => paths.some((path) => isBelow(target, path)));
  // Deepest first; the same target can be mounted over more than once.
  for (const target of targets.sort((a, b) => b.length - a.length)) {
    const { code, stderr } = await node.programs.run(['umount', target], STOP_MS);
    if (code !== 0)
      throw new Fault('precondition', `${target} cannot be unmounted`, {
        cause: stderr.trim(),
        hint: 'see what uses it: fuser -vm',
      });
  }
  // The node's `/` came into this pod with copies of these mounts, which are nobody's business but ours.
  const { root } = node.files;
  if (root === '/') return;
  const own = mounts().map(({ target }) => target);
  const seen = paths.flatMap((path) => [path, join(root, path)]);
  const copies = own.filter((target) => seen.some((path) => isBelow(target, path)));
  for (const target of copies.sort((a, b) => b.length - a.length)) umount(target);
}

function isBelow(path: string, parent: string): boolean {
  return path === parent || path.startsWith(`${parent}/`);
}
