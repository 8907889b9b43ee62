import { Fault, messageOf } from '../../ground/fault.ts';
import type { Config } from '../../cri/config/schema.ts';
import { apply, generationOf, isSameGeneration, prune, reasonOf, verify } from './generation.ts';
import type { Node } from './node.ts';
import { placeRelease, readRelease, releaseName, type Release } from './release.ts';
import { standing } from './serving.ts';
import type { NodeSettings } from './settings.ts';
import { RELEASES, type Change, type Generation, type NodeState } from './state.ts';
import { takeAway } from './uninstall.ts';

/*
 *   nothing --install--> change noted --place--> switched --apply, verify--> current --prune--> done
 *                             |                      |
 *                             | cannot be placed     | does not serve in time
 *                             v                      v
 *                        as it was  <--------  rollback noted --apply, verify--> the one before, reason kept
 *
 * Whoever is killed anywhere in this goes on from the note when he is called again.
 */

export type InstallOutcome = 'installed' | 'upgraded' | 'unchanged';

export interface InstallOptions {
  /** The unpacked release. */
  from: string;
  settings: NodeSettings;
  /** Tries a release again that did not serve a short time ago. */
  retry?: boolean;
  /** Refuses where nothing is installed. */
  upgradeOnly?: boolean;
}

/**
 * Brings a release onto the node, or another one in its place, and makes it serve. Pods go on. Rejects with Fault
 * `unavailable` when it does not serve in time: then the one before serves again, and what was wrong is kept.
 */
export async function install(node: Node, options: InstallOptions): Promise<InstallOutcome> {
  const { state } = node;
  if (state.change?.kind === 'uninstall') {
    node.say('finishing an uninstallation that has begun');
    await takeAway(node);
    node.note({ change: undefined });
  }
  if (options.upgradeOnly === true && state.current === undefined && state.change === undefined)
    throw new Fault('precondition', 'Nothing is installed on this node', { hint: 'berth node install' });
  const release = readRelease(options.from);
  const name = releaseName(release, knownDigests(node));
  const { generation, config } = generationOf(node, release, name, options.settings);
  if (state.change?.kind === 'rollback') await finishOrPass(node, generation, options.settings);
  refuseWhatFailed(node, generation, options);
  if (
    state.change === undefined &&
    isSameGeneration(state.current, generation) &&
    (await serves(node, generation))
  )
    return 'unchanged';
  return change(node, release, generation, config, options.settings);
}

async function change(
  node: Node,
  release: Release,
  to: Generation,
  config: Config,
  settings: NodeSettings,
): Promise<InstallOutcome> {
  const { state, belongings } = node;
  const from = baseOf(state);
  const timeoutMs = settings.wait.seconds * 1000;
  const networkWasReady =
    state.change?.kind === 'install' ? state.change.networkWasReady : await hasNetwork(node, from);
  const intent: Change & { kind: 'install' } = {
    kind: 'install',
    from,
    to,
    switched: false,
    networkWasReady,
  };
  const needsNetwork =
    settings.wait.network === 'always' ||
    (settings.wait.network === 'auto' && (networkWasReady || isNetworkConfigured(node, config)));
  belongings.directory(RELEASES);
  const links = [...new Set([...(state.links ?? []), config.network.bridge, config.network.vxlan_link])];
  node.note({ change: intent, links });
  node.say(`placing release ${to.release}`);
  placeRelease(node.files, release, to.release);
  node.note({ change: { ...intent, switched: true } });
  try {
    await apply(node, to, timeoutMs);
    await verify(node, to, needsNetwork, timeoutMs);
  } catch (error) {
    const reason = await reasonOf(node, error);
    const failed = { generation: to, reason, at: new Date().toISOString() };
    node.note({ change: { kind: 'rollback', reason, ...(from === undefined ? {} : { to: from }) }, failed });
    await finishRollback(node, settings);
    const end = from === undefined ? 'All that it had brought is gone again' : `${from.release} serves again`;
    throw new Fault('unavailable', `Release ${to.release} does not serve on this node: ${reason}\n${end}`);
  }
  const outcome = from === undefined ? 'installed' : 'upgraded';
  // A new configuration of the same release leaves the release before it where it is.
  const previous = from === undefined || isSameGeneration(from, to) ? state.previous : from;
  node.note({ current: to, previous, change: undefined, failed: undefined });
  prune(node);
  node.say(`${outcome}: ${to.release} serves on ${to.socket}`);
  return outcome;
}

/** The generation that a change began with: what a failure goes back to. */
function baseOf({ change, current }: NodeState): Generation | undefined {
  if (change?.kind === 'install') return change.from;
  return change?.kind === 'rollback' ? change.to : current;
}

/** Finishes a rollback; where that cannot be done, another release than the one that failed may be the way out. */
async function finishOrPass(node: Node, wanted: Generation, settings: NodeSettings): Promise<void> {
  try {
    await finishRollback(node, settings);
  } catch (error) {
    if (isSameGeneration(node.state.failed?.generation, wanted)) throw error;
    node.say(messageOf(error));
  }
}

/**
 * Goes back to the generation before; one that has begun is finished. Rejects with Fault `precondition` when there is none.
 */
export async function rollback(node: Node, settings: NodeSettings): Promise<Generation> {
  const { current, previous, change } = node.state;
  if (change?.kind !== 'rollback') {
    // An upgrade that was killed has not changed what is current.
    const to = change?.kind === 'install' ? change.from : previous;
    if (current === undefined || to === undefined)
      throw new Fault('precondition', 'There is no release before this one on the node');
    node.note({ change: { kind: 'rollback', to, reason: 'asked for' }, previous: current });
  }
  await finishRollback(node, settings);
  return node.state.current!;
}

/** Does what a noted rollback has left to do. */
async function finishRollback(node: Node, settings: NodeSettings): Promise<void> {
  const { change } = node.state;
  if (change?.kind !== 'rollback') return;
  const { to } = change;
  if (to === undefined) {
    await takeAway(node);
    node.note({ change: undefined, current: undefined });
    return;
  }
  node.say(`going back to ${to.release}: ${change.reason.split('\n')[0]}`);
  const timeoutMs = settings.wait.seconds * 1000;
  try {
    await apply(node, to, timeoutMs);
    await verify(node, to, false, timeoutMs);
  } catch (error) {
    throw new Fault('unavailable', `${to.release} does not serve again: ${messageOf(error)}`, {
      hint: 'look at journalctl -u berth on the node; this is tried again with the next call',
    });
  }
  const previous = node.state.previous?.release === to.release ? undefined : node.state.previous;
  node.note({ current: to, previous, change: undefined });
  prune(node);
}

/** The daemon is not restarted over and over for a release that is known not to serve. */
function refuseWhatFailed(node: Node, generation: Generation, { settings, retry }: InstallOptions): void {
  const { failed } = node.state;
  if (failed === undefined || retry === true || !isSameGeneration(failed.generation, generation)) return;
  const sinceMs = Date.now() - Date.parse(failed.at);
  if (sinceMs >= settings.wait.holdSeconds * 1000) return;
  prune(node);
  throw new Fault(
    'precondition',
    `Release ${generation.release} did not serve at ${failed.at}: ${failed.reason}`,
    {
      hint: `it is tried again ${settings.wait.holdSeconds} s after that, with another configuration, or with --retry`,
    },
  );
}

function knownDigests(node: Node): Map<string, string> {
  const { current, previous, change, failed } = node.state;
  const to = change?.kind === 'install' ? [change.to, change.from] : [];
  const known = [current, previous, ...to].filter((one) => one !== undefined);
  if (failed !== undefined && node.files.kind(`${RELEASES}/${failed.generation.release}`) === 'directory')
    known.push(failed.generation);
  return new Map(known.map(({ release, digest }) => [release, digest]));
}

async function serves(node: Node, { socket, version }: Generation): Promise<boolean> {
  return (await standing(node.files.at(socket, true), { version, network: false })).complaint === '';
}

async function hasNetwork(node: Node, from: Generation | undefined): Promise<boolean> {
  if (from === undefined) return false;
  return (await standing(node.files.at(from.socket, true), { network: false })).networkReady;
}

function isNetworkConfigured(node: Node, { network }: Config): boolean {
  if (network.pod_cidr !== '') return true;
  return node.files.list(network.conf_dir).some((name) => /\.(conflist|conf|json)$/.test(name));
}
