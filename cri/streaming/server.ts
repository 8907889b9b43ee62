import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Fault, messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import type { Streams } from '../../pod/streams.ts';
import { Certificate, type CertificateFiles } from './certificate.ts';
import { StreamingCounts } from './counts.ts';
import { refuse } from './http-answer.ts';
import { Tickets, type Ticket } from './ticket.ts';
import { TIMEOUTS, type Timeouts } from './timeouts.ts';

const MAX_HEADER_BYTES = 16 * 1024;
const DEAD_PEER_MS = 30_000;
/** For those that are refused with a word. */
const SPARE_CONNECTIONS = 64;
const PATH = /^\/(exec|attach|portforward)\/([\w-]{1,64})(?:\?|$)/;

export interface StreamingOptions {
  /** `127.0.0.1:0`; port 0 takes a free one. */
  listen: string;
  streams: Streams;
  log: Log;
  /** Speaks https with this pair, which is read again when it changes. */
  certificate?: CertificateFiles;
  /** Sessions at once; more are refused. */
  maxSessions: number;
  timeouts?: Partial<Timeouts>;
  /** Sees a server that listens on loopback before its first connection, to tune its socket. */
  onLoopback?(server: Server): void;
}

/** What the RPCs need of the streaming server. */
export interface Streaming {
  /** A URL for one client within a minute. Throws Fault `exhausted`, or `unavailable` when nothing can be served. */
  url(ticket: Ticket): Promise<string>;
}

/**
 * The streaming server: exec, attach and port-forward for whoever has a URL from it, which the CRI gave (kubelet and
 * crictl connect to it themselves).
 */
export class StreamingServer implements Streaming {
  readonly counts = new StreamingCounts();
  readonly #options: StreamingOptions;
  readonly #timeouts: Timeouts;
  readonly #tickets = new Tickets();
  readonly #certificate: Certificate | undefined;
  readonly #sockets = new Set<Duplex>();
  readonly #sessions = new Set<Promise<void>>();
  readonly #handshakes = new WeakMap<Duplex, NodeJS.Timeout>();
  #listening: Promise<Server> | undefined;
  #closed = false;

  constructor(options: StreamingOptions) {
    this.#options = { ...options };
    this.#timeouts = { ...TIMEOUTS, ...options.timeouts };
    if (options.certificate !== undefined)
      this.#certificate = new Certificate(options.certificate, options.log);
  }

  /** Other bounds from now on, for sessions that begin then. */
  reconfigure({ maxSessions, idleMs }: { maxSessions: number; idleMs: number }): void {
    this.#options.maxSessions = maxSessions;
    this.#timeouts.idleMs = idleMs;
    void this.#listening?.then(
      (server) => (server.maxConnections = maxSessions + SPARE_CONNECTIONS),
      () => undefined, // said to who asked for a stream
    );
  }

  /** Listens. Rejects with Fault `unavailable`; the next call tries again. */
  async listen(): Promise<Server> {
    if (this.#closed) throw new Fault('unavailable', 'The streaming server is closed');
    this.#listening ??= this.#open();
    try {
      return await this.#listening;
    } catch (error) {
      this.#listening = undefined;
      throw error;
    }
  }

  async url(ticket: Ticket): Promise<string> {
    const server = await this.listen();
    await this.#certificate?.refresh();
    const { address, port, family } = server.address() as AddressInfo;
    // Whoever listens everywhere is reached on loopback too, and the callers are on this node.
    const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
    const scheme = this.#certificate === undefined ? 'http' : 'https';
    const token = this.#tickets.issue(ticket);
    return `${scheme}://${family === 'IPv6' ? `[${host}]` : host}:${port}/${ticket.kind}/${token}`;
  }

  /** Ends all sessions: their commands are killed, their containers live on. */
  async close(): Promise<void> {
    this.#closed = true;
    const server = await this.#listening?.catch(() => undefined);
    const closed = new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)));
    server?.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([closed, ...this.#sessions]);
  }

  async #open(): Promise<Server> {
    const { listen, maxSessions } = this.#options;
    const colon = listen.lastIndexOf(':');
    const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
    const { handshakeMs } = this.#timeouts;
    const limits = {
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAlive: true,
      keepAliveInitialDelay: DEAD_PEER_MS,
    };
    // An import statement takes every export of node:http, also WebSocket, and with it all of undici.
    const server =
      this.#certificate === undefined
        ? process.getBuiltinModule('node:http').createServer(limits)
        : this.#certificate.serve(
            process
              .getBuiltinModule('node:https')
              .createServer({ ...limits, ...this.#certificate.read(), handshakeTimeout: handshakeMs }),
          );
    server.maxConnections = maxSessions + SPARE_CONNECTIONS;
    // Node's own limits are looked at every half minute.
    server.on(this.#certificate === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      const late = setTimeout(() => socket.destroy(), handshakeMs);
      this.#handshakes.set(socket, late);
      socket.once('close', () => clearTimeout(late));
    });
    server.on('request', (_request, response) =>
      response
        .writeHead(400, { connection: 'close' })
        .end('unable to upgrade: missing upgrade headers in request\n'),
    );
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket as Socket, head),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(
          new Fault('unavailable', `Exec, attach and port-forward cannot be served on ${listen}`, {
            cause,
            hint: 'give [cri] stream_listen another address',
          }),
        ),
      );
      server.listen(Number(listen.slice(colon + 1)), host, resolve);
    });
    server.on('error', (error) => this.#options.log.warn({}, `The streaming server: ${messageOf(error)}`));
    if (isLoopback(server.address() as AddressInfo)) this.#options.onLoopback?.(server);
    server.unref();
    return server;
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => {}); // a close follows
    clearTimeout(this.#handshakes.get(socket));
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const [, kind, token = ''] = PATH.exec(request.url ?? '') ?? [];
    const ticket = this.#tickets.redeem(kind as Ticket['kind'], token);
    if (ticket === undefined) return this.#refuse(socket, 404, 'This URL is unknown, used or expired');
    if (this.counts.sessions >= this.#options.maxSessions)
      return this.#refuse(socket, 503, `${this.#options.maxSessions} streaming sessions are open`);
    const session = this.#serve({ request, socket, head, ticket });
    this.#sessions.add(session);
    void session.finally(() => this.#sessions.delete(session));
  }

  async #serve(upgrade: {
    request: IncomingMessage;
    socket: Socket;
    head: Buffer;
    ticket: Ticket;
  }): Promise<void> {
    const { log, streams } = this.#options;
    const { ticket, socket } = upgrade;
    const about = {
      kind: ticket.kind,
      id: ticket.kind === 'portforward' ? ticket.sandboxId : ticket.containerId,
    };
    const begun = performance.now();
    try {
      const { serveUpgrade } = await import('./session.ts');
      await serveUpgrade(upgrade, { streams, counts: this.counts, timeouts: this.#timeouts });
      log.debug({ ...about, ms: Math.round(performance.now() - begun) }, 'A streaming session ended');
    } catch (error) {
      log.info(about, `A streaming session ended early: ${messageOf(error)}`);
      socket.destroy();
    }
  }

  #refuse(socket: Socket, code: number, why: string): void {
    this.counts.refuse(code);
    refuse(socket, code, why);
  }
}

function isLoopback({ address }: AddressInfo): boolean {
  return address.startsWith('127.') || address === '::1';
}
