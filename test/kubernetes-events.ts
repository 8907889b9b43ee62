import { isObject, mergePatch, type Json } from './kubernetes-patches.ts';

/** A refusal as it goes over the wire. */
export interface Refused {
  status: number;
  message: string;
}

const QUALIFIED = /^([a-z0-9.-]+\/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?$/;
/** metav1.MicroTime is read with this very layout. */
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/**
 * The events of events.k8s.io/v1, held to what kube-apiserver demands of them (ValidateEventCreate and
 * ValidateEventUpdate in pkg/apis/core/validation/events.go).
 */
export class EventStore {
  readonly events = new Map<string, Json>();

  create(namespace: string, event: Json): Json | Refused {
    const name = (event['metadata'] as Json | undefined)?.['name'];
    if (typeof name !== 'string' || !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) || name.length > 253)
      return { status: 422, message: `metadata.name: Invalid value: ${JSON.stringify(name)}` };
    const wrong = faultOf(namespace, event);
    if (wrong !== undefined) return { status: 422, message: `Event "${name}" is invalid: ${wrong}` };
    if (this.events.has(name))
      return { status: 409, message: `events.events.k8s.io "${name}" already exists` };
    this.events.set(name, event);
    return event;
  }

  patch(namespace: string, name: string, patch: unknown): Json | Refused {
    const before = this.events.get(name);
    if (before === undefined) return { status: 404, message: `events.events.k8s.io "${name}" not found` };
    const after = mergePatch(before, patch) as Json;
    const wrong = faultOf(namespace, after);
    if (wrong !== undefined) return { status: 422, message: `Event "${name}" is invalid: ${wrong}` };
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
      if (!['series', 'metadata'].includes(key) && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
        return { status: 422, message: `Event "${name}" is invalid: ${key}: field is immutable` };
    this.events.set(name, after);
    return after;
  }
}

function faultOf(namespace: string, event: Json): string | undefined {
  const { apiVersion, kind, metadata, eventTime, reportingController, reportingInstance } = event;
  const { action, reason, type, note, regarding, series } = event;
  const text = (value: unknown, max: number): boolean =>
    typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= max;
  if (apiVersion !== 'events.k8s.io/v1' || kind !== 'Event') return 'no Event of events.k8s.io/v1';
  if ((metadata as Json)['namespace'] !== namespace) return 'metadata.namespace: does not match the request';
  if (typeof eventTime !== 'string' || !MICRO_TIME.test(eventTime)) return `eventTime: ${String(eventTime)}`;
  if (!text(reportingController, 128) || !QUALIFIED.test(reportingController as string))
    return 'reportingController: Required value';
  if (!text(reportingInstance, 128)) return 'reportingInstance: Required value, at most 128';
  if (!text(action, 128)) return 'action: Required value, at most 128';
  if (!text(reason, 128)) return 'reason: Required value, at most 128';
  if (type !== 'Normal' && type !== 'Warning') return 'type: Invalid value';
  if (typeof note === 'string' && Buffer.byteLength(note) > 1024)
    return 'note: can have at most 1024 characters';
  if (!isObject(regarding)) return 'regarding: Required value';
  if (regarding['namespace'] === undefined && !['default', 'kube-system'].includes(namespace))
    return 'regarding.namespace: does not match event.namespace';
  if (series === undefined) return undefined;
  const { count, lastObservedTime } = series as Json;
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 2)
    return 'series.count: should be at least 2';
  if (typeof lastObservedTime !== 'string' || !MICRO_TIME.test(lastObservedTime))
    return 'series.lastObservedTime';
  return undefined;
}
