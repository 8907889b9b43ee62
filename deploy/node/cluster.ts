import { Fault } from '../../ground/fault.ts';
import { apiServer, type ApiRequest } from '../../kubernetes/api.ts';
import { kubeconfigLogin } from '../../kubernetes/kubeconfig.ts';
import { textOf } from '../../kubernetes/lines.ts';
import { isInCluster, serviceAccountLogin } from '../../kubernetes/login.ts';
import { refuse } from '../../kubernetes/refusal.ts';
import type { NodeView, PodView } from './drained.ts';

/** What is written on a Node. */
export interface NodeMarks {
  annotations?: Record<string, string | null>;
  labels?: Record<string, string | null>;
}

/** The Kubernetes API, as far as the installer needs it. */
export interface Cluster {
  node(name: string): Promise<NodeView>;
  /** All pods that are bound to a node. */
  podsOn(node: string): Promise<PodView[]>;
  /** Sets annotations and labels of a Node, or takes them away with null. */
  mark(node: string, marks: NodeMarks): Promise<void>;
  /** A request of any kind, and its answer as it is parsed. Rejects with Fault. */
  request(
    method: 'GET' | 'PATCH',
    path: string,
    more?: Pick<ApiRequest, 'query' | 'body' | 'contentType'>,
  ): Promise<unknown>;
}

const PATIENCE_MS = 15_000;

interface ObjectMeta {
  name?: string;
  namespace?: string;
  annotations?: Record<string, string>;
  ownerReferences?: { kind: string }[];
}
interface NodeObject {
  metadata: ObjectMeta;
  spec?: { unschedulable?: boolean };
  status?: { nodeInfo?: { containerRuntimeVersion?: string } };
}
interface PodObject {
  metadata: ObjectMeta;
  status?: { phase?: string };
}

/** The API server that a kubeconfig names, or, without one, that of the cluster in which this pod runs. */
export function connectCluster(kubeconfig?: string): Cluster {
  if (kubeconfig === undefined && !isInCluster(process.env))
    throw new Fault('precondition', 'The way to the API server is not known', {
      hint: 'run in a pod with a service account, or give --kubeconfig FILE',
    });
  const api = apiServer(
    kubeconfig === undefined ? serviceAccountLogin(process.env) : kubeconfigLogin(kubeconfig),
  );
  const request: Cluster['request'] = async (method, path, { query, body, contentType } = {}) => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await api({ method, path, query, body, contentType }, signal);
    await refuse(answer, `${method} ${path}`);
    return JSON.parse(await textOf(answer.body)) as unknown;
  };

  return {
    request,
    async node(name) {
      const { metadata, spec, status } = (await request('GET', `/api/v1/nodes/${name}`)) as NodeObject;
      return {
        name,
        unschedulable: spec?.unschedulable === true,
        annotations: metadata.annotations ?? {},
        runtimeVersion: status?.nodeInfo?.containerRuntimeVersion ?? '',
      };
    },
    async podsOn(node) {
      const query = { fieldSelector: `spec.nodeName=${node}` };
      const { items } = (await request('GET', '/api/v1/pods', { query })) as { items: PodObject[] };
      return items.map(({ metadata, status }) => ({
        namespace: metadata.namespace ?? '',
        name: metadata.name ?? '',
        phase: status?.phase ?? '',
        annotations: metadata.annotations ?? {},
        owners: (metadata.ownerReferences ?? []).map(({ kind }) => kind),
      }));
    },
    async mark(node, metadata) {
      const contentType = 'application/merge-patch+json';
      await request('PATCH', `/api/v1/nodes/${node}`, { body: { metadata }, contentType });
    },
  };
}
