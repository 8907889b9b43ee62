import type { Rooms } from '../handler.ts';
import { runtimeConditions } from '../convert/runtime-status.ts';
import { hostname } from 'node:os';
import type { NodePart, NodeSnapshot, WorkPart } from './parts.ts';
import type { RecentWork } from './recent-work.ts';
import { imagesOf } from './snapshot-images.ts';
import { podsOf } from './snapshot-pods.ts';
import { startsOf } from './snapshot-starts.ts';

/** A text that others wrote is cut here: one is no reason to send megabytes. */
const MAX_TEXT = 500;
const HOST = hostname();

/**
 * Takes the snapshot, from memory: no disk, no child, no wait. It holds no environment, no arguments, no labels and no
 * annotations: whoever may see the page may not see those.
 */
export function snapshotOf(rooms: Rooms, recent: RecentWork): NodeSnapshot {
  const { pods, images, network, daemon } = rooms;
  const census = pods.census();
  const subjects = new Subjects(rooms);
  const disk = daemon.disk();
  const { ready, message, overlay } = network.status();
  return {
    at: new Date().toISOString(),
    node: {
      name: HOST,
      version: daemon.version,
      startedAt: daemon.startedAt.toISOString(),
      versions: daemon.versions,
      cgroupDriver: pods.cgroupDriver(),
      conditions: conditionsOf(rooms),
      handlers: pods.handlers().map(({ name, path, version, usable, reason, isDefault }) => ({
        name,
        path,
        version,
        usable,
        reason: bounded(reason),
        isDefault,
      })),
    },
    vitals: {
      memoryBytes: process.memoryUsage.rss(),
      processes: census.children,
      ...(disk === undefined ? {} : { disk: { bytesTotal: disk.bytesTotal, bytesFree: disk.bytesFree } }),
    },
    work: workOf(rooms, recent, subjects),
    trouble: {
      debts: census.debts.map(({ id, kind, since, tries, lastError }) => ({
        id,
        subject: subjects.of(id),
        kind,
        since,
        tries,
        lastError: bounded(lastError),
      })),
      quarantined: census.quarantined.map(({ kind, id, reason }) => ({
        kind,
        id,
        reason: withoutQuote(reason),
      })),
      notices: daemon
        .notices()
        .map(({ at, kind, message }) => ({ at, kind, message: bounded(message) }))
        .toReversed(),
    },
    pods: podsOf(rooms),
    starts: startsOf(recent, daemon.startedAt),
    images: imagesOf(images.list(), images.layers(), pods.listContainers()),
    network: {
      ...network.shape(),
      ready,
      message: bounded(message),
      ...(overlay === undefined ? {} : { overlay }),
    },
  };
}

function conditionsOf(rooms: Rooms): NodePart['conditions'] {
  return runtimeConditions(rooms).map(({ type, status, reason, message }) => ({
    type: type ?? '',
    ready: status === true,
    reason: reason ?? '',
    message: bounded(message ?? ''),
  }));
}

function workOf({ images }: Rooms, recent: RecentWork, subjects: Subjects): WorkPart {
  const running = recent.running();
  return {
    inFlight: running.map(({ operation, id, beganAt, stage, stageAt }) => ({
      operation,
      id,
      subject: subjects.of(id),
      stage,
      beganAt: iso(beganAt),
      stageAt: iso(stageAt),
    })),
    pulls: images.pulls().running.map(({ image, stage, sinceMs, progress }) => {
      // The stages know to the millisecond when it began, so that two snapshots say the same.
      const began = running.find(({ operation, id }) => operation === 'PullImage' && id === image)?.beganAt;
      return {
        image,
        stage,
        beganAt: iso(began ?? Date.now() - sinceMs),
        layersDone: progress?.layersDone ?? 0,
        layersTotal: progress?.layersTotal ?? 0,
        bytesDone: progress?.bytesDone ?? 0,
        bytesTotal: progress?.bytesTotal ?? 0,
      };
    }),
  };
}

/** What ids are called, made when the first one is asked for. */
class Subjects {
  readonly #rooms: Rooms;
  #names: Map<string, string> | undefined;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
  }

  of(id: string): string {
    return (this.#names ??= this.#all()).get(id) ?? id;
  }

  #all(): Map<string, string> {
    const names = new Map<string, string>();
    for (const { id, config } of this.#rooms.pods.listSandboxes({ labels: {} }))
      names.set(id, `${config.metadata.namespace}/${config.metadata.name}`);
    for (const { id, sandboxId, config } of this.#rooms.pods.listContainers({ labels: {} }))
      names.set(id, `${names.get(sandboxId) ?? sandboxId.slice(0, 13)} ${config.metadata.name}`);
    return names;
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Texts of others have a bound. */
function bounded(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
}

/** What cannot be parsed is quoted by the parser's error, and a record can hold what is nobody's business. */
function withoutQuote(reason: string): string {
  return /JSON/.test(reason) ? 'it is not valid JSON' : bounded(reason);
}
