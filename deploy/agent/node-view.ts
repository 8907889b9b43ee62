import { isJsonObject, type JsonObject } from '../../ground/json.ts';
import { isOwnLabel } from './labels.ts';

/** The type of the condition that the agent keeps. */
export const CONDITION = 'BerthReady';

/** A condition of a Node (core/v1 NodeCondition). */
export interface NodeCondition {
  type: string;
  status: string;
  reason: string;
  message: string;
  /** RFC 3339, whole seconds. */
  lastHeartbeatTime: string;
  lastTransitionTime: string;
}

/** What matters of the agent's own Node object. */
export interface NodeView {
  name: string;
  uid: string;
  version: string;
  /** Those that the agent keeps. */
  labels: Record<string, string>;
  /** The agent's. */
  condition: NodeCondition | undefined;
  podCidrs: string[];
}

/** Reads a Node object (core/v1); undefined when it is none. What is malformed in it is left out. */
export function nodeViewOf(object: unknown): NodeView | undefined {
  if (!isJsonObject(object)) return undefined;
  const { metadata, spec, status } = object;
  if (!isJsonObject(metadata)) return undefined;
  const { name, uid, resourceVersion } = metadata;
  if (typeof name !== 'string' || typeof uid !== 'string') return undefined;
  const labels = isJsonObject(metadata['labels']) ? metadata['labels'] : {};
  const conditions = isJsonObject(status) ? status['conditions'] : undefined;
  return {
    name,
    uid,
    version: textOf(resourceVersion),
    labels: Object.fromEntries(
      Object.entries(labels).filter(
        (entry): entry is [string, string] => isOwnLabel(entry[0]) && typeof entry[1] === 'string',
      ),
    ),
    condition: (Array.isArray(conditions) ? (conditions as unknown[]) : [])
      .filter(isJsonObject)
      .filter(({ type }) => type === CONDITION)
      .map(conditionOf)[0],
    podCidrs: isJsonObject(spec) ? podCidrsOf(spec) : [],
  };
}

/** Whether `a` was read before `b`. Versions are numbers that grow (Kubernetes API concepts, "Resource versions"). */
export function isOlder(a: NodeView, b: NodeView): boolean {
  const [one, other] = [a, b].map(({ version }) => (/^\d+$/.test(version) ? BigInt(version) : undefined));
  return a.uid === b.uid && one !== undefined && other !== undefined && one < other;
}

function conditionOf(condition: JsonObject): NodeCondition {
  const keys = ['type', 'status', 'reason', 'message', 'lastHeartbeatTime', 'lastTransitionTime'] as const;
  return Object.fromEntries(keys.map((key) => [key, textOf(condition[key])])) as unknown as NodeCondition;
}

function podCidrsOf({ podCIDRs, podCIDR }: JsonObject): string[] {
  const several = Array.isArray(podCIDRs) ? (podCIDRs as unknown[]) : [];
  return (several.length > 0 ? several : [podCIDR]).filter(
    (cidr): cidr is string => typeof cidr === 'string' && cidr !== '',
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
