import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import { OwnedFd, openPath, O } from '../native/fd.ts';
import { inNetns } from '../native/namespaces.ts';

/*
 * As much of a Kubernetes API server as it takes to list and watch Nodes: pages, resource versions, events and
 * bookmarks in chunks, versions that have expired, refusals, and all the ways in which a server can be away. Its
 * answers have the form of kube-apiserver's (Kubernetes API concepts, "Efficient detection of changes").
 */

export interface FakeNode {
  addresses: string[];
  podCIDRs?: string[];
  /** What a heartbeat changes. */
  beat?: number;
}

interface Refusal {
  status: number;
  headers: Record<string, string>;
  message: string;
}

type WatchEvent = { type: string; object: { metadata: { resourceVersion: string } } };

export class KubernetesNodesServer implements AsyncDisposable {
  /** The requests as they came: `list`, `list continue`, `watch 12`. */
  readonly requests: string[] = [];
  /** The headers of the last one. */
  headers: IncomingMessage['headers'] = {};
  /** What the next requests are refused with, one after the other. */
  readonly refusals: Refusal[] = [];
  /** How the server tells that a version has expired: in the stream, as kube-apiserver does, or by its status. */
  expiryBy: 'event' | 'status' = 'event';
  /** Ends each watch as soon as it begins. */
  endsAtOnce = false;
  readonly #tls: { ca: string; cert: string; key: string } | undefined;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<ServerResponse>();
  readonly #nodes = new Map<string, { node: FakeNode; version: number }>();
  #history: WatchEvent[] = [];
  #version = 1;
  /** Versions up to this one are forgotten. */
  #forgotten = 0;
  #port = 0;

  /** With `tls` clients have to bring a certificate of that authority. */
  constructor(tls?: { ca: string; cert: string; key: string }) {
    this.#tls = tls;
  }

  get port(): number {
    return this.#port;
  }

  get watchers(): number {
    return this.#watches.size;
  }

  /** Listens, on the port of last time; in a network namespace on all of its addresses, else on loopback. */
  async start(netns?: string): Promise<void> {
    const answer = (request: IncomingMessage, response: ServerResponse): void =>
      this.#answer(request, response);
    const server =
      this.#tls === undefined
        ? createServer(answer)
        : createSecureServer(
            {
              ca: readFileSync(this.#tls.ca),
              cert: readFileSync(this.#tls.cert),
              key: readFileSync(this.#tls.key),
              requestCert: true,
              rejectUnauthorized: true,
            },
            answer,
          );
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    const listening = new Promise((resolve, reject) => {
      server.once('listening', resolve);
      server.once('error', reject);
    });
    if (netns === undefined) server.listen(this.#port, '127.0.0.1');
    else {
      using fd = new OwnedFd(openPath(netns, O.RDONLY));
      // Without a host the socket is made in this very call, in the namespace.
      inNetns(fd.fd, () => server.listen(this.#port));
    }
    await listening;
    this.#port = (server.address() as { port: number }).port;
  }

  /** Is away: connections break, new ones are refused. What it knows stays. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    this.drop();
    await closed;
  }

  /** Breaks all connections. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends all watches as a server does whose time for them is over. */
  endWatches(): void {
    for (const watch of this.#watches) watch.end();
  }

  put(name: string, node: FakeNode): void {
    const type = this.#nodes.has(name) ? 'MODIFIED' : 'ADDED';
    this.#nodes.set(name, { node, version: ++this.#version });
    this.#send({ type, object: nodeObject(name, node, this.#version) });
  }

  delete(name: string): void {
    const { node } = this.#nodes.get(name)!;
    this.#nodes.delete(name);
    this.#send({ type: 'DELETED', object: nodeObject(name, node, ++this.#version) });
  }

  /** Tells watchers the version, without an event, and in two pieces. */
  bookmark(): void {
    const object = {
      kind: 'Node',
      apiVersion: 'v1',
      metadata: { name: '', resourceVersion: String(this.#version), creationTimestamp: null },
    };
    const text = `${JSON.stringify({ type: 'BOOKMARK', object })}\n`;
    for (const watch of this.#watches) {
      watch.write(text.slice(0, 20));
      watch.write(text.slice(20));
    }
  }

  /** Sends watchers these bytes. */
  raw(text: string): void {
    for (const watch of this.#watches) watch.write(text);
  }

  /** Something that is no Node changes: the version of the whole server grows. */
  pass(): void {
    this.#version++;
  }

  /** Forgets what was: watches from versions before now have expired. */
  expire(): void {
    this.#history = [];
    this.#forgotten = ++this.#version;
  }

  refuse(status: number, message: string, headers: Record<string, string> = {}): void {
    this.refusals.push({ status, message, headers });
  }

  /** A kubeconfig that leads here. */
  kubeconfig(host: string, client?: { cert: string; key: string }): string {
    const cluster =
      this.#tls === undefined
        ? { server: `http://${host}:${this.#port}`, 'insecure-skip-tls-verify': true }
        : { server: `https://${host}:${this.#port}`, 'certificate-authority': this.#tls.ca };
    const user =
      client === undefined
        ? { token: 'secret-token' }
        : { 'client-certificate': client.cert, 'client-key': client.key };
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #send(event: WatchEvent): void {
    this.#history.push(event);
    for (const watch of this.#watches) watch.write(`${JSON.stringify(event)}\n`);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url!, 'http://x');
    this.headers = request.headers;
    const watch = ['1', 'true'].includes(query.get('watch') ?? '');
    const verb = watch ? `watch ${query.get('resourceVersion')}` : 'list';
    this.requests.push(query.has('continue') ? `${verb} continue` : verb);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return this.#status(response, refusal);
    if (pathname !== '/api/v1/nodes')
      return this.#status(response, { status: 404, message: 'not found', headers: {} });
    if (watch) this.#watch(query, response);
    else this.#list(query, response);
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const [from, version] = query.get('continue')?.split('@').map(Number) ?? [0, this.#version];
    if (version! < this.#forgotten) {
      const message = 'The provided continue parameter is too old';
      return this.#status(response, { status: 410, message, headers: {} });
    }
    const limit = Number(query.get('limit') ?? Infinity);
    const all = [...this.#nodes];
    const page = all.slice(from, from! + limit);
    const next = from! + limit < all.length ? { continue: `${from! + limit}@${version}` } : {};
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(
      JSON.stringify({
        kind: 'NodeList',
        apiVersion: 'v1',
        metadata: { resourceVersion: String(version), ...next },
        items: page.map(([name, { node, version: own }]) => nodeObject(name, node, own)),
      }),
    );
  }

  #watch(query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    const expired = { status: 410, message: `too old resource version: ${from}`, headers: {} };
    if (from < this.#forgotten && this.expiryBy === 'status') return this.#status(response, expired);
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
    if (from < this.#forgotten)
      return void response.end(`${JSON.stringify({ type: 'ERROR', object: statusObject(expired) })}\n`);
    if (this.endsAtOnce) return void response.end();
    for (const event of this.#history)
      if (Number(event.object.metadata.resourceVersion) > from) response.write(`${JSON.stringify(event)}\n`);
    this.#watches.add(response);
    response.on('close', () => this.#watches.delete(response));
  }

  #status(response: ServerResponse, refusal: Refusal): void {
    response.writeHead(refusal.status, { 'Content-Type': 'application/json', ...refusal.headers });
    response.end(JSON.stringify(statusObject(refusal)));
  }
}

function statusObject({ status, message }: Refusal): WatchEvent['object'] & object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    code: status,
  } as unknown as WatchEvent['object'];
}

function nodeObject(
  name: string,
  { addresses, podCIDRs, beat = 0 }: FakeNode,
  version: number,
): WatchEvent['object'] {
  const object = {
    kind: 'Node',
    apiVersion: 'v1',
    metadata: { name, uid: `uid-${name}`, resourceVersion: String(version) },
    spec: podCIDRs === undefined ? {} : { podCIDR: podCIDRs[0], podCIDRs },
    status: {
      addresses: [
        ...addresses.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: name },
      ],
      conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: beat }],
    },
  };
  return object;
}
