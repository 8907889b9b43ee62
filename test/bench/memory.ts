import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { membersBelow } from '../node-space.ts';
import { atOnce } from './concurrency.ts';
import { Client } from '../../cri/client.ts';
import { measureLists, type Lists } from './lists.ts';
import type { Peer } from './peers/peer.ts';
import { PAYLOAD, startPod } from './pod.ts';
import { note } from './progress.ts';
import { longestStallMs } from './stall.ts';

/** Mebibytes. */
export interface Footprint {
  pods: number;
  processes: number;
  pss: number;
  anonymous: number;
  /** The part of `pss` that is the daemon's own. */
  daemon: number;
}

export interface Crowd {
  footprints: Footprint[];
  /** Seconds until the last of the pods ran. */
  startSeconds: number;
  /** Milliseconds of the List calls with all pods there. */
  lists: Lists;
  /** The longest stall of the event loop while the pods started, in milliseconds; absent when there is none to ask. */
  stallMs: number | undefined;
}

/** A daemon keeps for some seconds what it needed to pull the pods' image and to start pods: it is weighed at rest. */
const REST_MS = 12_000;

/**
 * Memory of a fresh node as its pods grow in number to those of `crowd`, one after the other. Proportional set size
 * (smaps_rollup), so that shared pages count once. Counted: every process in the node's mount namespace that serves the runtime (daemon, shims,
 * monitors) and every process in the pods' cgroups (pause) other than the containers' payload. Not counted: the
 * registry, the payload, kernel memory.
 */
export async function measureCrowd(peer: Peer, crowd: number[]): Promise<Crowd> {
  const cri = new Client(peer.node.socket);
  const footprints: Footprint[] = [];
  let startSeconds = 0;
  let stallMs: number | undefined;
  try {
    for (const pods of crowd) {
      const begin = performance.now();
      await atOnce(pods - (footprints.at(-1)?.pods ?? 0), () => startPod(peer, cri));
      startSeconds += (performance.now() - begin) / 1000;
      const metrics = await peer.node.metrics?.();
      // The first page, without pods, tells of the daemon's own start.
      if (metrics !== undefined && pods > 0) stallMs = Math.max(stallMs ?? 0, longestStallMs(metrics));
      await sleep(REST_MS);
      footprints.push(weigh(peer, pods));
      note(`memory: ${peer.name} ${pods} pods ${footprints.at(-1)!.pss.toFixed(1)} MiB`);
    }
    return { footprints, startSeconds, lists: await measureLists(cri), stallMs };
  } finally {
    cri.close();
  }
}

function weigh(peer: Peer, pods: number): Footprint {
  const helpers = new Set([...peer.node.helpers(), ...membersBelow(peer.node.cgroup).filter(isNoPayload)]);
  const weights = [...helpers].flatMap((pid) => weightOf(pid) ?? []);
  const daemon = weightOf(peer.node.daemon);
  return {
    pods,
    processes: weights.length,
    pss: sum(weights.map((weight) => weight.pss)),
    anonymous: sum(weights.map((weight) => weight.anonymous)),
    daemon: daemon?.pss ?? 0,
  };
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function isNoPayload(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1') !== `${PAYLOAD.join('\0')}\0`;
  } catch {
    return false; // ended meanwhile
  }
}

/** Undefined when the process has ended. */
function weightOf(pid: number): { pss: number; anonymous: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  } catch {
    return undefined;
  }
  const mebibytes = (key: string): number =>
    Number(new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { pss: mebibytes('Pss'), anonymous: mebibytes('Pss_Anon') };
}
