import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { messageOf, Fault } from '../../ground/fault.ts';
import { lockFile } from '../../native/flock.ts';
import { connectCluster } from './cluster.ts';
import { HostFiles } from './host-files.ts';
import { install, rollback } from './install.ts';
import { askForTurn, markNode, untilDrained } from './kubelet-ask.ts';
import { kubeletHealth, turnKubelet } from './kubelet-turn.ts';
import { Node } from './node.ts';
import { hostPrograms } from './programs.ts';
import { ownRelease } from './release.ts';
import { waitUntilServing } from './serving.ts';
import { readSettings, type NodeSettings } from './settings.ts';
import { JOURNAL, loadState } from './state.ts';
import { nodeStatus, statusText } from './status.ts';
import { Systemctl } from './systemd.ts';
import { uninstall } from './uninstall.ts';
import { withdraw } from './withdraw.ts';

/** What `berth node …` takes from its command line. */
export interface NodeOptions {
  host: string;
  from?: string;
  settings?: string;
  retry?: boolean;
  force?: boolean;
  keepData?: boolean;
  json?: boolean;
  kubeconfig?: string;
  nodeName?: string;
  socket?: string;
  timeout?: string;
  network?: boolean;
  namespace?: string;
  daemonset?: string;
}

/** Another installer has the node for so long at most: a release is placed and verified meanwhile. */
const LOCK_PATIENCE_MS = 600_000;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** For tests: `BERTH_CRASH_AT=Node:write /opt/berth/node/state.json` kills the installer before that change. */
function dieAt(change: string): void {
  if (process.env['BERTH_CRASH_AT'] === `Node:${change}`) process.kill(process.pid, 'SIGKILL');
}

/** Does `work` on a node that nobody else works on. */
async function withNode<T>(host: string, work: (node: Node) => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) throw new Fault('permission', 'A node can be changed by root only');
  const files = new HostFiles(host, dieAt);
  // Refuses what is no node, before anything is written there.
  await using programs = await hostPrograms(host);
  mkdirSync(files.at(JOURNAL), { recursive: true, mode: 0o755 });
  using _lock = await lockFile(files.at(`${JOURNAL}/lock`), LOCK_PATIENCE_MS);
  return await work(new Node({ files, programs, systemd: new Systemctl(programs, dieAt), say }));
}

/** `berth node install` and `upgrade`; with `kubelet.switch`, waits for the drain and has the kubelet turned. */
export async function nodeInstall(options: NodeOptions, upgradeOnly: boolean): Promise<void> {
  const settings = readSettings(options.settings);
  const from = options.from ?? ownRelease();
  const { retry } = options;
  await withNode(options.host, async (node) => {
    if ((await install(node, { from, settings, retry, upgradeOnly })) === 'unchanged')
      say(`unchanged: ${node.state.current!.release} serves`);
  });
  await turnTo(settings.kubelet.switch ? 'switched' : 'restored', options, settings);
}

/** `berth node kubelet switch|restore`: on a drained node only. */
export async function nodeKubelet(want: 'switched' | 'restored', options: NodeOptions): Promise<void> {
  await turnTo(want, options, readSettings(options.settings));
}

/** `berth node kubelet turn`: what was asked for, by the service on the node itself. */
export async function nodeTurn(options: NodeOptions): Promise<void> {
  await withNode(options.host, async (node) => {
    const { phase, reason } = await turnKubelet(node, kubeletHealth(node));
    if (reason !== undefined) throw new Fault('unavailable', `The kubelet is ${phase}: ${reason}`);
    say(`the kubelet is ${phase}`);
  });
}

async function turnTo(
  want: 'switched' | 'restored',
  options: NodeOptions,
  settings: NodeSettings,
): Promise<void> {
  const known = loadState(new HostFiles(options.host)).kubelet;
  if (want === 'restored' && known === undefined) return;
  const cluster = connectCluster(options.kubeconfig);
  const name = options.nodeName ?? process.env['NODE_NAME'] ?? hostname();
  if (want === 'switched' && known?.phase !== 'switched')
    await untilDrained(cluster, name, say, AbortSignal.any([]));
  const asked = await withNode(options.host, (node) =>
    askForTurn(node, cluster, name, want, settings.kubelet),
  );
  // This pod may be one of those that end now; the next one comes by here again.
  if (asked) await turned(options.host, want, settings.kubelet.seconds);
  await withNode(options.host, (node) => markNode(node, cluster, name));
}

const TURN_EXTRA_MS = 300_000;

async function turned(host: string, want: 'switched' | 'restored', seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 2000 + TURN_EXTRA_MS;
  for (;;) {
    const { kubelet } = loadState(new HostFiles(host));
    if (kubelet?.phase === 'switched' || kubelet?.phase === 'restored') {
      if (kubelet.phase === want) return say(`the kubelet is ${want}`);
      throw new Fault('unavailable', `The kubelet was not ${want}: ${kubelet.reason}`);
    }
    if (performance.now() > deadline)
      throw new Fault('deadline', 'The kubelet was not turned in time', {
        hint: 'journalctl -u berth-node-kubelet on the node says more',
      });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** `berth node rollback`: the release before, with its configuration. */
export async function nodeRollback(options: NodeOptions): Promise<void> {
  const settings = readSettings(options.settings);
  const { release } = await withNode(options.host, (node) => rollback(node, settings));
  say(`${release} serves again`);
}

/** `berth node uninstall`: also points the kubelet back, on a drained node. Says what stays. */
export async function nodeUninstall(options: NodeOptions): Promise<void> {
  const { kubelet } = loadState(new HostFiles(options.host));
  if (kubelet !== undefined)
    await turnTo('restored', options, readSettings(options.settings)).catch((error: unknown) => {
      if (kubelet.phase !== 'restored') throw error;
      say(`the Node's annotation and label stay as they are: ${messageOf(error)}`);
    });
  const left = await withNode(options.host, (node) => uninstall(node, options));
  for (const line of left) say(`stays: ${line}`);
  say('Berth is gone from this node');
}

/** `berth node status`: what is installed, and how it stands. */
export async function nodeStatusCommand(options: NodeOptions): Promise<void> {
  const status = await nodeStatus(new HostFiles(options.host));
  say(options.json === true ? JSON.stringify(status, undefined, 2) : statusText(status));
}

/** `berth node wait`: until the daemon serves. Rejects with Fault `unavailable` when the time is over. */
export async function nodeWait(options: NodeOptions): Promise<void> {
  const files = new HostFiles(options.host);
  const socket =
    options.socket ?? files.at(loadState(files).current?.socket ?? '/run/berth/berth.sock', true);
  const timeoutMs = Number(options.timeout ?? 60) * 1000;
  const { version } = await waitUntilServing(socket, { network: options.network === true }, timeoutMs);
  say(`Berth ${version} serves`);
}

/** `berth node withdraw`: the hook before `helm uninstall`. */
export async function nodeWithdraw(options: NodeOptions): Promise<void> {
  const { namespace, daemonset, timeout, force, keepData } = options;
  await withdraw(connectCluster(options.kubeconfig), {
    namespace: namespace!,
    daemonSet: daemonset!,
    timeoutMs: Number(timeout ?? 600) * 1000,
    force: force === true,
    keepData: keepData === true,
    say,
  });
}

/** `berth node withdrawn`: what stays in the pod of a clean node until the DaemonSet goes. */
export async function nodeWithdrawn(): Promise<void> {
  say('Berth is gone from this node');
  const alive = setInterval(() => {}, 2 ** 30);
  await new Promise((resolve) => process.once('SIGTERM', resolve).once('SIGINT', resolve));
  clearInterval(alive);
}
