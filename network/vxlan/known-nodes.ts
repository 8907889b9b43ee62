import { isDeepStrictEqual } from 'node:util';
import type { RecordStore, RecordTable } from '../../ground/records.ts';
import type { ClusterNode } from './cluster-node.ts';

/** The nodes of the cluster as they were last heard of: durable, so that a daemon that starts without the API server knows them. */
export class KnownNodes {
  readonly #records: RecordStore;
  readonly #table: RecordTable<ClusterNode>;
  #nodes: Map<string, ClusterNode>;

  constructor(records: RecordStore) {
    this.#records = records;
    this.#table = records.table('cluster-nodes', checkNode);
    this.#nodes = new Map(this.#table.all().map(({ id, value }) => [id, value]));
  }

  list(): ClusterNode[] {
    return [...this.#nodes.values()];
  }

  get(name: string): ClusterNode | undefined {
    return this.#nodes.get(name);
  }

  /** These are all. Only rows that differ are written. */
  replace(nodes: readonly ClusterNode[]): void {
    const next = new Map(nodes.map((node) => [node.name, node]));
    this.#records.transaction(() => {
      for (const name of this.#nodes.keys()) if (!next.has(name)) this.#table.delete(name);
      for (const [name, node] of next)
        if (!isDeepStrictEqual(node, this.#nodes.get(name))) this.#table.put(name, node);
    });
    this.#nodes = next;
  }
}

function checkNode(value: unknown): ClusterNode {
  const node = value as ClusterNode;
  if (typeof node.name !== 'string' || !Array.isArray(node.addresses) || !Array.isArray(node.podCidrs))
    throw new TypeError('Not a node of a cluster');
  return node;
}
