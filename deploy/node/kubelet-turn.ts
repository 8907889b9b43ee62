import { Client } from '../../cri/client.ts';
import { Fault, messageOf } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import { DEFAULT_ENDPOINT, healthPort, turned, type KubeletState } from './kubelet-files.ts';
import type { Node } from './node.ts';

/*
 * The turn itself runs on the node, as a service of its own: the pod that asked for it is one of those that end.
 */

const STOP_MS = 120_000;
const CALL_MS = 60_000;
const PAUSE_MS = 250;

/** Whether the kubelet is healthy: its service runs, and its health check says ok. */
export type KubeletHealth = (unit: string, port: number) => Promise<string>;

/**
 * Does what was asked of the kubelet: stops it, removes the pods of the runtime that it leaves, changes its files, and
 * starts it. When it is not healthy in time, its files are as before and it runs as before, with the reason in the
 * state. Goes on where it was killed.
 */
export async function turnKubelet(node: Node, health: KubeletHealth): Promise<KubeletState> {
  const { kubelet } = node.state;
  if (kubelet === undefined)
    throw new Fault('precondition', 'Nothing was asked for the kubelet of this node');
  if (kubelet.phase === 'switched' || kubelet.phase === 'restored') return kubelet;
  const forth = kubelet.phase === 'switching';
  try {
    await turn(node, kubelet, forth, health);
    node.note({ kubelet: { ...kubelet, phase: forth ? 'switched' : 'restored', reason: undefined } });
  } catch (error) {
    const reason = messageOf(error);
    node.say(`the kubelet is not healthy, going back: ${reason}`);
    setFiles(node, kubelet, !forth);
    await node.systemd.restart(kubelet.unit, kubelet.seconds * 1000).catch((cause: unknown) => {
      node.say(`the kubelet does not start again: ${messageOf(cause)}`);
    });
    node.note({ kubelet: { ...kubelet, phase: forth ? 'restored' : 'switched', reason } });
  }
  return node.state.kubelet!;
}

async function turn(node: Node, kubelet: KubeletState, forth: boolean, health: KubeletHealth): Promise<void> {
  const { unit, seconds, endpoint, before } = kubelet;
  node.say(`stopping ${unit}`);
  await node.systemd.stop(unit, STOP_MS);
  const left = forth ? (before ?? DEFAULT_ENDPOINT) : endpoint;
  await removeAllPods(node, left);
  setFiles(node, kubelet, forth);
  node.say(`starting ${unit} with ${forth ? endpoint : (before ?? 'its own default')}`);
  await node.systemd.start(unit, seconds * 1000);
  const port = healthPort(node.files);
  const deadline = performance.now() + seconds * 1000;
  for (let complaint = await health(unit, port); complaint !== ''; complaint = await health(unit, port)) {
    if (performance.now() >= deadline)
      throw new Fault('unavailable', `${unit} is not healthy after ${seconds} s: ${complaint}`);
    await sleep(PAUSE_MS);
  }
}

/** Ours in the kubelet's files, or theirs again: the very files, unless somebody changed them meanwhile. */
function setFiles(node: Node, { files: wanted, before, endpoint }: KubeletState, ours: boolean): void {
  const { belongings, files } = node;
  for (const { path, text } of wanted) {
    if (ours) belongings.file(path, text, files.mode(path) ?? 0o644);
    else if (!belongings.has(path)) continue;
    else if (files.read(path) === text || files.read(path) === undefined) belongings.giveBack(path);
    else {
      const now = files.read(path)!;
      if (now.includes(endpoint))
        files.write(path, turned(now, before ?? DEFAULT_ENDPOINT), files.mode(path));
      node.say(`${path} was changed by others: only the endpoint in it was put back`);
      belongings.forget(path);
    }
  }
}

/** A runtime that the kubelet leaves must not keep pods: nobody would ever stop them, and their ports stay taken. */
async function removeAllPods(node: Node, endpoint: string): Promise<void> {
  using client = new Client(node.files.at(endpoint.replace(/^unix:(\/\/)?/, ''), true));
  try {
    const { items } = await client.call('ListPodSandbox', {}, { deadlineMs: CALL_MS });
    node.say(`removing ${items.length} pods of ${endpoint}`);
    for (const { id: podSandboxId } of items) {
      await client.call('StopPodSandbox', { podSandboxId }, { deadlineMs: CALL_MS });
      await client.call('RemovePodSandbox', { podSandboxId }, { deadlineMs: CALL_MS });
    }
  } catch (error) {
    node.say(`pods of ${endpoint} stay: ${messageOf(error)}`);
  }
}

/** The kubelet's health as this node's own loopback and systemd tell it. */
export function kubeletHealth(node: Node): KubeletHealth {
  return async (unit, port) => {
    const { active } = await node.systemd.state(unit);
    if (active !== 'active') return `systemd says ${active}`;
    if (port === 0) return '';
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2000) });
      const text = await answer.text();
      return answer.ok ? '' : `its health check says ${answer.status} ${text.slice(0, 200)}`;
    } catch (error) {
      return `its health check does not answer: ${messageOf(error)}`;
    }
  };
}
