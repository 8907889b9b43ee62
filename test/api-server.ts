import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TestNode } from './node.ts';
import { dialNode, join } from './relay.ts';

/*
 * As much of a Kubernetes API server as `kubectl exec`, `attach` and `port-forward` need. It asks the CRI for a URL as
 * a kubelet does, and from there on passes bytes both ways unchanged: what the client speaks, the daemon answers.
 */

/** A pod that the server knows. */
export interface KnownPod {
  sandbox: string;
  container: string;
  stdin?: boolean;
  tty?: boolean;
}

const DISCOVERY: Record<string, unknown> = {
  '/api': { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/version': { major: '1', minor: '33', gitVersion: 'v1.33.0' },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [
      {
        name: 'pods',
        singularName: 'pod',
        namespaced: true,
        kind: 'Pod',
        verbs: ['get'],
        shortNames: ['po'],
      },
      ...['exec', 'attach', 'portforward'].map((verb) => ({
        name: `pods/${verb}`,
        singularName: '',
        namespaced: true,
        kind: `Pod${verb}`,
        verbs: ['create', 'get'],
      })),
    ],
  },
};

export class ApiServer implements AsyncDisposable {
  readonly pods = new Map<string, KnownPod>();
  /** The protocols that clients asked for, in order: `websocket v5.channel.k8s.io`. */
  readonly upgrades: string[] = [];
  readonly #node: TestNode;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(node: TestNode) {
    this.#node = node;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on('connection', (socket) => this.#own(socket));
    this.#server.on('upgrade', (request, socket: Socket, head: Buffer) => {
      this.#stream(request, socket, head).catch((error: unknown) => {
        const text = String(error);
        socket.end(`HTTP/1.1 500 Error\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
      });
    });
  }

  static async open(node: TestNode): Promise<ApiServer> {
    const server = new ApiServer(node);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url!, 'http://x');
    const pod = this.pods.get(/^\/api\/v1\/namespaces\/default\/pods\/([^/]+)$/.exec(pathname)?.[1] ?? '');
    const name = pathname.split('/').at(-1)!;
    const body = DISCOVERY[pathname] ?? (pod === undefined ? undefined : podObject(name, pod));
    response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'application/json' });
    const missing = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 };
    response.end(JSON.stringify(body ?? missing));
  }

  async #stream(request: IncomingMessage, client: Socket, head: Buffer): Promise<void> {
    const url = new URL(request.url!, 'http://x');
    const [, name = '', verb = ''] = /\/pods\/([^/]+)\/(exec|attach|portforward)$/.exec(url.pathname) ?? [];
    const pod = this.pods.get(name);
    if (pod === undefined) throw new Error(`There is no pod ${name}`);
    const inside = new URL(await this.#streamingUrl(verb, pod, url.searchParams));
    const { upgrade, 'sec-websocket-protocol': sub, 'x-stream-protocol-version': spdy } = request.headers;
    this.upgrades.push(`${String(upgrade).toLowerCase()} ${String(sub ?? spdy)}`);
    const daemon = await dialNode(this.#node.holder, Number(inside.port));
    this.#own(daemon);
    // The request as it came, under the path that the daemon gave.
    const path = inside.pathname + inside.search;
    const lines = [`${request.method} ${path} HTTP/1.1`, `Host: ${inside.host}`];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      if (request.rawHeaders[i]!.toLowerCase() !== 'host')
        lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    daemon.write(`${lines.join('\r\n')}\r\n\r\n`);
    daemon.write(head);
    join(client, daemon);
  }

  async #streamingUrl(verb: string, pod: KnownPod, query: URLSearchParams): Promise<string> {
    const wants = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
    const streams = {
      stdin: wants('stdin'),
      stdout: wants('stdout'),
      stderr: wants('stderr') && !wants('tty'),
      tty: wants('tty'),
    };
    const { client } = this.#node;
    const { container: containerId } = pod;
    if (verb === 'exec')
      return (await client.call('Exec', { containerId, cmd: query.getAll('command'), ...streams })).url;
    if (verb === 'attach') return (await client.call('Attach', { containerId, ...streams })).url;
    const port = query.getAll('ports').map(Number);
    return (await client.call('PortForward', { podSandboxId: pod.sandbox, port })).url;
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

function podObject(name: string, { container, stdin = false, tty = false }: KnownPod): object {
  const containerID = `berth://${container}`;
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, namespace: 'default', uid: name },
    spec: { nodeName: 'node', containers: [{ name: 'main', image: 'busybox', stdin, tty }] },
    status: {
      phase: 'Running',
      containerStatuses: [{ name: 'main', ready: true, containerID, state: { running: {} } }],
    },
  };
}
