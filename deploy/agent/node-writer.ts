import { isDeepStrictEqual } from 'node:util';
import { Fault } from '../../ground/fault.ts';
import type { Api, ApiRequest } from '../../kubernetes/api.ts';
import { textOf } from '../../kubernetes/lines.ts';
import { Patience } from '../../kubernetes/patience.ts';
import { refuse } from '../../kubernetes/refusal.ts';
import { CONDITION, nodeViewOf, type NodeCondition, type NodeView } from './node-view.ts';

/** Who writes, as the API server keeps it: all agents are one manager, so that a new one owns what the old one wrote. */
const MANAGER = 'berth-agent';
const APPLY = {
  contentType: 'application/apply-patch+yaml',
  query: { fieldManager: MANAGER, force: 'true' },
};
const RIGHT = 'see deploy/agent/README.md for the rights that the agent needs';
const ANSWER_MS = 30_000;

/**
 * Writes the agent's part of a Node: by server-side apply, which touches nothing of others and takes away what the
 * agent no longer says. With the Node's uid in it an apply never makes a Node, and never writes to one that was made
 * anew. Each answers what the Node is then; each can be done twice. Throws Refusal, and Fault `unavailable`.
 */
export class NodeWriter {
  readonly #api: Api;
  readonly #node: string;
  readonly #signal: AbortSignal;

  constructor(api: Api, node: string, signal: AbortSignal) {
    this.#api = api;
    this.#node = node;
    this.#signal = signal;
  }

  /** The Node as it is now; undefined when there is none. */
  async read(): Promise<NodeView | undefined> {
    const query = { fieldSelector: `metadata.name=${this.#node}` };
    const { items } = (await this.#ask({ path: '/api/v1/nodes', query })) as { items?: unknown };
    return (Array.isArray(items) ? (items as unknown[]) : [])
      .map(nodeViewOf)
      .find((view) => view?.name === this.#node);
  }

  /** The agent's labels are these, and no others. */
  async label(view: NodeView, labels: Record<string, string>): Promise<NodeView> {
    // What is left out is given up, with its owner's entry; an empty one would be owned.
    const config = this.#config(view, Object.keys(labels).length === 0 ? {} : { labels });
    const after = await this.#patch('', { ...APPLY, body: config });
    if (isDeepStrictEqual(after.labels, labels)) return after;
    // Somebody else owns some of them, too (by an edit, or since the owners were lost): an apply leaves those.
    const strays = Object.keys(after.labels).filter((key) => !(key in labels));
    const removal = {
      metadata: { uid: view.uid, labels: Object.fromEntries(strays.map((key) => [key, null])) },
    };
    return await this.#patch('', {
      contentType: 'application/merge-patch+json',
      query: { fieldManager: MANAGER },
      body: removal,
    });
  }

  /** The agent's condition is this, or there is none. */
  async condition(view: NodeView, condition: NodeCondition | undefined): Promise<NodeView> {
    const status = condition === undefined ? undefined : { conditions: [condition] };
    const after = await this.#patch('/status', { ...APPLY, body: this.#config(view, {}, status) });
    if (condition !== undefined || after.condition === undefined) return after;
    return await this.#patch('/status', {
      contentType: 'application/strategic-merge-patch+json',
      query: { fieldManager: MANAGER },
      body: {
        metadata: { uid: view.uid },
        status: { conditions: [{ $patch: 'delete', type: CONDITION }] },
      },
    });
  }

  #config(view: NodeView, metadata: object, status?: object): object {
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: view.name, uid: view.uid, ...metadata },
      ...(status === undefined ? {} : { status }),
    };
  }

  async #patch(subresource: string, request: Omit<ApiRequest, 'path' | 'method'>): Promise<NodeView> {
    const path = `/api/v1/nodes/${encodeURIComponent(this.#node)}${subresource}`;
    const view = nodeViewOf(await this.#ask({ ...request, method: 'PATCH', path }));
    if (view === undefined) throw new Fault('unavailable', 'The API server gave something else than a Node');
    return view;
  }

  async #ask(request: ApiRequest): Promise<unknown> {
    using patience = new Patience(ANSWER_MS);
    const answer = await this.#api(request, AbortSignal.any([this.#signal, patience.signal]));
    await refuse(answer, RIGHT);
    return JSON.parse(await textOf(answer.body));
  }
}
