import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import { json as bodyOf } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { OwnedFd, openPath, O } from '../native/fd.ts';
import { inNetns } from '../native/namespaces.ts';
import { EventStore } from './kubernetes-events.ts';
import { NodeStore, type FakeNode, type NodeObject } from './kubernetes-node-store.ts';
import type { Json } from './kubernetes-patches.ts';

/*
 * As much of a Kubernetes API server as it takes to list, watch and patch Nodes and to write events: pages, resource
 * versions, events and bookmarks in chunks, versions that have expired, patches of all kinds, rights, refusals, and all
 * the ways in which a server can be slow or away. Its answers have the form of kube-apiserver's (Kubernetes API
 * concepts, "Efficient detection of changes").
 */

export type { FakeNode } from './kubernetes-node-store.ts';

interface Refusal {
  status: number;
  headers: Record<string, string>;
  message: string;
}

interface WatchEvent {
  type: string;
  object: Json;
}

export interface TlsFiles {
  ca: string;
  cert: string;
  key: string;
  /** Takes clients without a certificate of that authority, too. */
  anonymous?: boolean;
}

const STREAM = { 'Content-Type': 'application/json' };

export class KubernetesNodesServer implements AsyncDisposable {
  /** The requests as they came: `list`, `list continue`, `watch 12`, `patch nodes/status a`, `create events e`. */
  readonly requests: string[] = [];
  /** The headers of the last one. */
  headers: IncomingMessage['headers'] = {};
  /** What the next requests are refused with, one after the other. */
  readonly refusals: Refusal[] = [];
  /** What the caller may do, as `patch nodes/status`; undefined: everything. */
  rights: Set<string> | undefined;
  /** The tokens that are valid; undefined: all are. */
  tokens: Set<string> | undefined;
  /** How long each answer takes to begin. */
  latencyMs = 0;
  /** Requests that are taken and never answered. */
  hanging = 0;
  /** Requests whose connection breaks after their work was done. */
  losing = 0;
  /** How the server tells that a version has expired: in the stream, as kube-apiserver does, or by its status. */
  expiryBy: 'event' | 'status' = 'event';
  /** Ends each watch as soon as it begins. */
  endsAtOnce = false;
  readonly nodes = new NodeStore((type, object) => this.#send({ type, object }));
  readonly events = new EventStore();
  readonly #tls: TlsFiles | undefined;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Map<ServerResponse, string | undefined>();
  #history: WatchEvent[] = [];
  /** Versions up to this one are forgotten. */
  #forgotten = 0;
  #port = 0;

  /** With `tls` clients have to bring a certificate of that authority, unless it says otherwise. */
  constructor(tls?: TlsFiles) {
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
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    };
    const server =
      this.#tls === undefined
        ? createServer(answer)
        : createSecureServer(
            {
              ca: readFileSync(this.#tls.ca),
              cert: readFileSync(this.#tls.cert),
              key: readFileSync(this.#tls.key),
              requestCert: true,
              rejectUnauthorized: this.#tls.anonymous !== true,
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
    for (const watch of this.#watches.keys()) watch.end();
  }

  put(name: string, node: FakeNode): void {
    this.nodes.put(name, node);
  }

  delete(name: string): void {
    this.nodes.delete(name);
  }

  /** A node as it is now. Throws when there is none. */
  node(name: string): NodeObject {
    const object = this.nodes.get(name);
    if (object === undefined) throw new Error(`There is no node ${name}`);
    return object;
  }

  /** Tells watchers the version, without an event, and in two pieces. */
  bookmark(): void {
    const object = {
      kind: 'Node',
      apiVersion: 'v1',
      metadata: { name: '', resourceVersion: String(this.nodes.version), creationTimestamp: null },
    };
    const text = `${JSON.stringify({ type: 'BOOKMARK', object })}\n`;
    for (const watch of this.#watches.keys()) {
      watch.write(text.slice(0, 20));
      watch.write(text.slice(20));
    }
  }

  /** Sends watchers these bytes. */
  raw(text: string): void {
    for (const watch of this.#watches.keys()) watch.write(text);
  }

  /** Something that is no Node changes: the version of the whole server grows. */
  pass(): void {
    this.nodes.version++;
  }

  /** Forgets what was: watches from versions before now have expired. */
  expire(): void {
    this.#history = [];
    this.#forgotten = ++this.nodes.version;
  }

  refuse(status: number, message: string, headers: Record<string, string> = {}): void {
    this.refusals.push({ status, message, headers });
  }

  /** A kubeconfig that leads here. */
  kubeconfig(host: string, client?: { cert: string; key: string } | { tokenFile: string }): string {
    const cluster =
      this.#tls === undefined
        ? { server: this.#address('http', host), 'insecure-skip-tls-verify': true }
        : { server: this.#address('https', host), 'certificate-authority': this.#tls.ca };
    const user =
      client === undefined
        ? { token: 'secret-token' }
        : 'tokenFile' in client
          ? client
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

  #address(scheme: string, host: string): string {
    return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${this.#port}`;
  }

  #send(event: WatchEvent): void {
    this.#history.push(event);
    for (const [watch, name] of this.#watches)
      if (isFor(event, name)) watch.write(`${JSON.stringify(event)}\n`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url!, 'http://x');
    this.headers = request.headers;
    const asked = described(request.method!, pathname, query);
    const body = request.method === 'GET' ? undefined : ((await bodyOf(request)) as Json);
    const subject = asked.resource === 'events' && request.method === 'POST' ? nameOf(body) : asked.name;
    const [verb, resource] = [asked.verb, asked.resource];
    this.requests.push(
      resource === 'nodes' && verb !== 'patch' ? asked.log : `${verb} ${resource} ${subject}`,
    );
    if (this.hanging > 0) {
      this.hanging--;
      return;
    }
    if (this.latencyMs > 0) await sleep(this.latencyMs);
    const refusal = this.refusals.shift() ?? this.#denial(request, asked);
    if (refusal !== undefined) return this.#status(response, refusal);
    if (verb === 'watch') return this.#watch(query, response);
    const [status, answer] = this.#work(asked, query, request.headers['content-type'] ?? '', body);
    if (this.losing > 0) {
      this.losing--;
      return void response.destroy();
    }
    if ('message' in answer && status >= 400)
      return this.#status(response, { status, message: String(answer['message']), headers: {} });
    response.writeHead(status, STREAM).end(JSON.stringify(answer));
  }

  #denial(request: IncomingMessage, { verb, resource, name }: Asked): Refusal | undefined {
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    if (this.tokens !== undefined && (token === undefined || !this.tokens.has(token)))
      return { status: 401, message: 'Unauthorized', headers: {} };
    if (resource === '') return { status: 404, message: 'not found', headers: {} };
    if (this.rights === undefined || this.rights.has(`${verb} ${resource}`)) return undefined;
    const what = `cannot ${verb} resource "${resource}" in API group "" at the cluster scope`;
    return { status: 403, message: `${resource} "${name}" is forbidden: User "agent" ${what}`, headers: {} };
  }

  #work(asked: Asked, query: URLSearchParams, contentType: string, body: Json | undefined): [number, Json] {
    const { verb, resource, name, namespace } = asked;
    if (verb === 'list') return this.#list(query);
    if (resource === 'events') {
      const done =
        verb === 'create' ? this.events.create(namespace, body!) : this.events.patch(namespace, name, body);
      return [typeof done['status'] === 'number' ? done['status'] : 201, done as Json];
    }
    if (verb !== 'patch') {
      const object = this.nodes.get(name);
      return object === undefined ? [404, { message: `nodes "${name}" not found` }] : [200, object];
    }
    return this.nodes.patch(name, body!, {
      type: contentType,
      subresource: resource === 'nodes/status' ? 'status' : '',
      manager: query.get('fieldManager') ?? this.headers['user-agent'] ?? '',
      force: query.get('force') === 'true',
      mayCreate: this.rights === undefined || this.rights.has('create nodes'),
    });
  }

  #list(query: URLSearchParams): [number, Json] {
    const [from, version] = query.get('continue')?.split('@').map(Number) ?? [0, this.nodes.version];
    if (version! < this.#forgotten) return [410, { message: 'The provided continue parameter is too old' }];
    const limit = Number(query.get('limit') ?? Infinity);
    const name = selected(query);
    const all = this.nodes.all().filter((node) => name === undefined || node.metadata.name === name);
    const next = from! + limit < all.length ? { continue: `${from! + limit}@${version}` } : {};
    return [
      200,
      {
        kind: 'NodeList',
        apiVersion: 'v1',
        metadata: { resourceVersion: String(version), ...next },
        items: all.slice(from, from! + limit),
      },
    ];
  }

  #watch(query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    const name = selected(query);
    const expired = { status: 410, message: `too old resource version: ${from}`, headers: {} };
    if (from < this.#forgotten && this.expiryBy === 'status') return this.#status(response, expired);
    response.writeHead(200, STREAM);
    response.flushHeaders();
    if (from < this.#forgotten)
      return void response.end(`${JSON.stringify({ type: 'ERROR', object: statusObject(expired) })}\n`);
    if (this.endsAtOnce) return void response.end();
    for (const event of this.#history)
      if (versionOf(event) > from && isFor(event, name)) response.write(`${JSON.stringify(event)}\n`);
    this.#watches.set(response, name);
    response.on('close', () => this.#watches.delete(response));
  }

  #status(response: ServerResponse, refusal: Refusal): void {
    response.writeHead(refusal.status, { ...STREAM, ...refusal.headers });
    response.end(JSON.stringify(statusObject(refusal)));
  }
}

/** What a request is about, in the words of authorization. */
interface Asked {
  verb: string;
  /** `nodes`, `nodes/status`, `events`; empty: nothing that is here. */
  resource: string;
  name: string;
  namespace: string;
  log: string;
}

function described(method: string, path: string, query: URLSearchParams): Asked {
  const nodes = /^\/api\/v1\/nodes(?:\/([^/]+)(\/status)?)?$/.exec(path);
  const events = /^\/apis\/events\.k8s\.io\/v1\/namespaces\/([^/]+)\/events(?:\/([^/]+))?$/.exec(path);
  const name = decodeURIComponent(nodes?.[1] ?? events?.[2] ?? '');
  const watch = ['1', 'true'].includes(query.get('watch') ?? '');
  const reading = watch ? 'watch' : name === '' ? 'list' : 'get';
  const verb = { GET: reading, POST: 'create', PATCH: 'patch' }[method] ?? method.toLowerCase();
  const resource = nodes === null ? (events === null ? '' : 'events') : `nodes${nodes[2] ?? ''}`;
  const log = `${verb}${watch ? ` ${query.get('resourceVersion')}` : ''}${query.has('continue') ? ' continue' : ''}`;
  return { verb, resource, name, namespace: events?.[1] ?? '', log };
}

function selected(query: URLSearchParams): string | undefined {
  return /^metadata\.name=(.+)$/.exec(query.get('fieldSelector') ?? '')?.[1];
}

function nameOf(object: Json | undefined): string {
  return String((object?.['metadata'] as Json | undefined)?.['name']);
}

function versionOf({ object }: WatchEvent): number {
  return Number((object['metadata'] as Json)['resourceVersion']);
}

function isFor({ object }: WatchEvent, name: string | undefined): boolean {
  return name === undefined || nameOf(object) === name;
}

function statusObject({ status, message }: Refusal): Json {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: status };
}
