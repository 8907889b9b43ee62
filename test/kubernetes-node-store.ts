import { isDeepStrictEqual } from 'node:util';
import {
  afterUpdate,
  apply,
  ApplyConflict,
  mergePatch,
  strategicPatch,
  type Json,
  type Ownership,
} from './kubernetes-patches.ts';

/** A node as tests speak of it. */
export interface FakeNode {
  addresses: string[];
  podCIDRs?: string[];
  /** What a heartbeat changes. */
  beat?: number;
}

export interface NodeCondition extends Json {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastHeartbeatTime?: string;
  lastTransitionTime?: string;
}

export interface NodeObject extends Json {
  metadata: Json & { name: string; uid: string; resourceVersion: string; labels?: Record<string, string> };
  spec: Json;
  status: Json & { conditions: NodeCondition[] };
}

interface Stored {
  object: NodeObject;
  owners: Ownership[];
}

export interface PatchOptions {
  /** Of the request's body. */
  type: string;
  subresource: string;
  manager: string;
  force: boolean;
  /** Whether the caller may make what he applies and is not there. */
  mayCreate: boolean;
}

/** Node objects with versions and owners of fields, as kube-apiserver keeps them. */
export class NodeStore {
  version = 1;
  readonly #nodes = new Map<string, Stored>();
  readonly #told: (type: string, object: NodeObject) => void;
  #made = 0;

  /** `told` hears of each change. */
  constructor(told: (type: string, object: NodeObject) => void) {
    this.#told = told;
  }

  all(): NodeObject[] {
    return [...this.#nodes.keys()].map((name) => this.get(name)!);
  }

  get(name: string): NodeObject | undefined {
    const stored = this.#nodes.get(name);
    if (stored === undefined) return undefined;
    const { object, owners } = stored;
    const managedFields = owners.map(({ fields, ...rest }) => ({ ...rest, fields: [...fields].sort() }));
    return { ...object, metadata: { ...object.metadata, managedFields } };
  }

  /** What a kubelet and the controller manager write; what others have written stays. */
  put(name: string, { addresses, podCIDRs, beat = 0 }: FakeNode): void {
    const patch = {
      spec: podCIDRs === undefined ? {} : { podCIDR: podCIDRs[0], podCIDRs },
      status: {
        addresses: [
          ...addresses.map((address) => ({ type: 'InternalIP', address })),
          { type: 'Hostname', address: name },
        ],
      },
    };
    const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: String(beat) };
    if (!this.#nodes.has(name)) {
      const metadata = { name, uid: `uid-${name}-${++this.#made}`, resourceVersion: '', labels: {} };
      const object = { kind: 'Node', apiVersion: 'v1', metadata, ...patch } as unknown as NodeObject;
      object.status.conditions = [ready];
      this.#nodes.set(name, { object, owners: [] });
      return this.#commit('ADDED', name);
    }
    this.change(name, (object) => {
      object.spec = patch.spec;
      object.status['addresses'] = patch.status.addresses;
      object.status.conditions = [
        ...object.status.conditions.filter(({ type }) => type !== 'Ready'),
        ready,
      ].sort((a, b) => (a.type < b.type ? 1 : -1));
    });
  }

  /** Somebody else writes, by an update. */
  change(name: string, write: (object: NodeObject) => void, manager = 'kubelet'): void {
    const stored = this.#nodes.get(name)!;
    const before = stored.object;
    stored.object = structuredClone(before);
    write(stored.object);
    stored.owners = afterUpdate(before, stored.object, stored.owners, { manager, subresource: '' });
    this.#commit('MODIFIED', name);
  }

  delete(name: string): void {
    const object = this.get(name)!;
    this.#nodes.delete(name);
    object.metadata.resourceVersion = String(++this.version);
    this.#told('DELETED', object);
  }

  /** The status of the answer and what it says. */
  patch(name: string, patch: Json, options: PatchOptions): [number, Json] {
    const stored = this.#nodes.get(name);
    const { uid } = (patch['metadata'] ?? {}) as Json;
    const applying = options.type === 'application/apply-patch+yaml';
    if (stored === undefined) {
      if (!applying) return [404, { message: `nodes "${name}" not found` }];
      if (uid !== undefined)
        return [
          409,
          {
            message: `uid mismatch: the provided object specified uid ${uid as string}, and no existing object was found`,
          },
        ];
      if (!options.mayCreate) return [403, { message: `cannot create resource "nodes" in API group ""` }];
      this.put(name, { addresses: [] });
      return this.patch(name, patch, options);
    }
    const before = stored.object;
    if (uid !== undefined && uid !== before.metadata.uid)
      return [
        409,
        {
          message: `Precondition failed: UID in precondition: ${uid as string}, UID in object meta: ${before.metadata.uid}`,
        },
      ];
    try {
      const { object, owners } = this.#patched(stored, patch, options);
      const part = (one: Json): Json =>
        options.subresource === 'status'
          ? { ...before, status: one['status'] }
          : { ...one, status: before.status };
      stored.object = part(object) as NodeObject;
      stored.owners = owners;
    } catch (error) {
      if (error instanceof ApplyConflict) return [409, { message: error.message }];
      if (error instanceof TypeError) return [415, { message: error.message }];
      throw error;
    }
    // What changes nothing makes no new version.
    if (!isDeepStrictEqual(before, stored.object)) this.#commit('MODIFIED', name);
    return [200, this.get(name)!];
  }

  #patched(
    { object, owners }: Stored,
    patch: Json,
    { type, subresource, manager, force }: PatchOptions,
  ): { object: Json; owners: Ownership[] } {
    if (type === 'application/apply-patch+yaml') {
      if (patch['kind'] !== 'Node' || patch['apiVersion'] !== 'v1')
        throw new TypeError('what is applied has to say what it is');
      if (manager === '') throw new TypeError('fieldManager is required for apply patch');
      return apply(object, owners, patch, { manager, subresource, force });
    }
    const ways: Record<string, (target: unknown, change: unknown) => unknown> = {
      'application/merge-patch+json': mergePatch,
      'application/strategic-merge-patch+json': strategicPatch,
    };
    const way = ways[type];
    if (way === undefined) throw new TypeError(`the body of the request was in an unknown format - ${type}`);
    const after = way(object, patch) as Json;
    return { object: after, owners: afterUpdate(object, after, owners, { manager, subresource }) };
  }

  #commit(type: string, name: string): void {
    const stored = this.#nodes.get(name)!;
    const { metadata } = stored.object;
    stored.object = {
      ...stored.object,
      metadata: { ...metadata, resourceVersion: String(++this.version) },
    };
    this.#told(type, this.get(name)!);
  }
}
