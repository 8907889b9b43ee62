import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { RpcError } from '../client.ts';
import { DemoNode } from './demo/node.ts';
import { takeInventory } from './demo/leftovers.ts';
import { missingParts } from './demo/needs.ts';
import { enterOwnNamespaces, prepareInside } from './demo/own-namespaces.ts';
import { Screen } from './demo/screen.ts';
import { tellStory } from './demo/story.ts';

/**
 * `berth demo`: a throw-away node in namespaces of its own, two pods on it, and the proof that nothing is left.
 * The process first re-executes itself in new mount and network namespaces, so that the host is untouched; in there
 * it returns when all is over. Throws Fault: `precondition` when something is missing, `cancelled` after a signal,
 * `internal` when a step does not show what it must.
 */
export async function demo(): Promise<void> {
  const missing = missingParts();
  if (missing.length > 0) throw new Fault('precondition', missing.join('\n'));
  enterOwnNamespaces();
  prepareInside();
  const screen = new Screen(process.stdout);
  const exits = await ExitWatcher.start();
  const directory = mkdtempSync(join(tmpdir(), 'berth-demo-'));
  const leaving = new AbortController();
  const leave = (signal: NodeJS.Signals): void =>
    leaving.abort(new Fault('cancelled', `The demo was ended by ${signal}`));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, leave);
  try {
    await onNode(new DemoNode(directory, exits), screen, leaving.signal);
  } finally {
    await exits.close();
  }
}

/** Tells the story, takes the node away, and says what is left of it: nothing, or it throws. */
async function onNode(node: DemoNode, screen: Screen, signal: AbortSignal): Promise<void> {
  const before = takeInventory(node.cgroup);
  try {
    await tellStory(node, screen, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RpcError)) throw error;
    throw new Fault('internal', `${error.message}\nThe daemon's log ends with:\n${node.logTail()}`);
  } finally {
    await node.destroy();
  }
  const after = takeInventory(node.cgroup);
  const kinds = ['processes', 'mounts', 'cgroups'] as const;
  const left = kinds.filter((kind) => after[kind] > before[kind]);
  if (left.length > 0) throw new Fault('internal', `Something is left of the node: ${left.join(', ')}`);
  screen.fact('the node', 'gone as well: no process, mount, cgroup or file is left of it');
}
