import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { OwnedFd, openPath, O } from '../native/fd.ts';
import { inNetns } from '../native/namespaces.ts';

/*
 * As much of a Kubernetes API server as it takes to drain a node and to point its kubelet elsewhere: one Node that is
 * read and patched, the pods that are bound to it.
 */

export interface BoundPod {
  name: string;
  owner?: string;
  phase?: string;
  mirror?: boolean;
}

export class KubernetesDrainServer implements AsyncDisposable {
  readonly node: {
    unschedulable: boolean;
    annotations: Record<string, string>;
    labels: Record<string, string>;
  } = {
    labels: {},
    unschedulable: false,
    annotations: {},
  };
  pods: BoundPod[] = [];
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
    this.#server = createServer((request, response) => this.#take(request, response));
  }

  /** Listens on loopback of a network namespace. */
  static async start(name: string, netns: string): Promise<KubernetesDrainServer> {
    const server = new KubernetesDrainServer(name);
    const listening = new Promise((resolve) => server.#server.once('listening', resolve));
    using fd = new OwnedFd(openPath(netns, O.RDONLY));
    // Without a host the socket is made in this very call, in the namespace.
    inNetns(fd.fd, () => server.#server.listen(0));
    await listening;
    return server;
  }

  /** A kubeconfig that leads here. */
  get kubeconfig(): string {
    const { port } = this.#server.address() as { port: number };
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        { name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } },
      ],
      users: [{ name: 'u', user: { token: 'secret-token' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    });
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url!, 'http://x');
      this.requests.push(`${request.method} ${pathname}`);
      const body = this.#answer(request, pathname, searchParams, text);
      response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'application/json' });
      response.end(
        JSON.stringify(body ?? { kind: 'Status', status: 'Failure', message: `no ${pathname}`, code: 404 }),
      );
    });
  }

  #answer(request: IncomingMessage, path: string, query: URLSearchParams, text: string): object | undefined {
    if (path === '/api/v1/pods' && query.get('fieldSelector') === `spec.nodeName=${this.#name}`)
      return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: this.pods.map(podObject) };
    if (path !== `/api/v1/nodes/${this.#name}`) return undefined;
    if (request.method === 'PATCH') {
      if (request.headers['content-type'] !== 'application/merge-patch+json') return undefined;
      type Marks = Record<string, string | null>;
      const { metadata } = JSON.parse(text) as {
        metadata: Record<'annotations' | 'labels', Marks | undefined>;
      };
      for (const kind of ['annotations', 'labels'] as const)
        for (const [key, value] of Object.entries(metadata[kind] ?? {}))
          if (value === null) delete this.node[kind][key];
          else this.node[kind][key] = value;
    }
    return {
      kind: 'Node',
      apiVersion: 'v1',
      metadata: { name: this.#name, annotations: this.node.annotations },
      spec: this.node.unschedulable ? { unschedulable: true } : {},
      status: { nodeInfo: { containerRuntimeVersion: 'containerd://1.7.0' } },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function podObject({ name, owner, phase = 'Running', mirror = false }: BoundPod): object {
  return {
    metadata: {
      name,
      namespace: 'default',
      annotations: mirror ? { 'kubernetes.io/config.mirror': 'x' } : {},
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ kind: owner, name: 'o', apiVersion: 'v1', uid: 'u' }] }),
    },
    spec: {},
    status: { phase },
  };
}
