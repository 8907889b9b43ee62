import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Streams } from '../../pod/streams.ts';
import { serveAttach, serveExec } from './command-session.ts';
import type { CommandWire } from './command-wire.ts';
import type { StreamingCounts, Transport } from './counts.ts';
import { refuse, upgradeToSpdy } from './http-answer.ts';
import {
  choose,
  listed,
  SPDY_COMMAND_PROTOCOLS,
  SPDY_PORT_PROTOCOLS,
  TUNNEL_PROTOCOL,
  UNNAMED_CHANNELS,
  WEBSOCKET_COMMAND_PROTOCOLS,
  WEBSOCKET_PORT_PROTOCOLS,
  type ChannelProtocol,
} from './protocols.ts';
import { spdyCommand } from './spdy/command.ts';
import { spdyPorts } from './spdy/ports.ts';
import type { Ticket } from './ticket.ts';
import type { Timeouts } from './timeouts.ts';
import { webSocketCommand } from './websocket/command.ts';
import { WebSocketLink } from './websocket/link.ts';
import { webSocketPorts } from './websocket/ports.ts';
import { Tunnel } from './websocket/tunnel.ts';

/*
 * One session of the streaming server, from the request to upgrade to the end of the connection. Loaded with the
 * first session: a daemon whose pods nobody looks into does not pay for it.
 */

/** Longer messages end the session. Clients send 32 KiB. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** For the client's answer to our close frame, behind all output that is on its way. */
const CLOSE_MS = 120_000;
const MAX_PORTS = 100;

/** A client that asks to upgrade, with the ticket that it showed. */
export interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  ticket: Ticket;
}

/** What sessions work with. */
export interface SessionRooms {
  streams: Streams;
  timeouts: Timeouts;
  counts: StreamingCounts;
}

/** How a client may upgrade for this kind of ticket, and to what. */
type Way = { transport: Transport; run: () => Promise<void> };

/** Serves one session to its end. Rejects when it could not begin. */
export async function serveUpgrade(upgrade: Upgrade, rooms: SessionRooms): Promise<void> {
  const way = wayOf(upgrade, rooms);
  if (way === undefined) return;
  const ended = rooms.counts.begin(upgrade.ticket.kind, way.transport);
  try {
    await way.run();
  } finally {
    ended();
  }
}

/** The protocol that both sides know; a refusal when there is none. */
function wayOf(upgrade: Upgrade, rooms: SessionRooms): Way | undefined {
  const { headers } = upgrade.request;
  const protocol = (headers.upgrade ?? '').toLowerCase();
  if (protocol === 'websocket') return webSocketWay(upgrade, rooms);
  if (protocol === 'spdy/3.1') return spdyWay(upgrade, rooms);
  refused(upgrade, rooms, 400, `unable to upgrade: SPDY/3.1 or websocket is served, not ${protocol}`);
  return undefined;
}

function spdyWay(upgrade: Upgrade, rooms: SessionRooms): Way | undefined {
  const { request, socket, head, ticket } = upgrade;
  const offered = listed(request.headers['x-stream-protocol-version']);
  if (offered.length === 0) {
    refused(upgrade, rooms, 400, 'unable to upgrade: X-Stream-Protocol-Version is required');
    return undefined;
  }
  const { streams, timeouts } = rooms;
  const count = rooms.counts.streamsOf('spdy');
  if (ticket.kind === 'portforward') {
    const protocol = agreed(upgrade, rooms, offered, SPDY_PORT_PROTOCOLS);
    if (protocol === undefined) return undefined;
    const { sandboxId } = ticket;
    const run = async (): Promise<void> => {
      upgradeToSpdy(socket, protocol.name);
      await spdyPorts(socket, head, { streams, sandboxId, timeouts, count });
    };
    return { transport: 'spdy', run };
  }
  const protocol = agreed(upgrade, rooms, offered, SPDY_COMMAND_PROTOCOLS);
  if (protocol === undefined) return undefined;
  const run = async (): Promise<void> => {
    upgradeToSpdy(socket, protocol.name);
    const wire = await spdyCommand(socket, head, protocol, ticket.request, { timeouts, count });
    await serveCommand(streams, ticket, wire);
  };
  return { transport: 'spdy', run };
}

function webSocketWay(upgrade: Upgrade, rooms: SessionRooms): Way | undefined {
  const { ticket } = upgrade;
  const known = ticket.kind === 'portforward' ? WEBSOCKET_PORT_PROTOCOLS : WEBSOCKET_COMMAND_PROTOCOLS;
  const offered = listed(upgrade.request.headers['sec-websocket-protocol']);
  const protocol = offered.length === 0 ? UNNAMED_CHANNELS : agreed(upgrade, rooms, offered, known);
  if (protocol === undefined) return undefined;
  const run = async (): Promise<void> => {
    const link = await accepted(upgrade, protocol, rooms.timeouts.idleMs);
    await serveWebSocket(link, upgrade, protocol, rooms);
  };
  return { transport: protocol.name === TUNNEL_PROTOCOL ? 'tunnel' : 'websocket', run };
}

async function serveWebSocket(
  link: WebSocketLink,
  { request, ticket }: Upgrade,
  protocol: ChannelProtocol,
  { streams, timeouts, counts }: SessionRooms,
): Promise<void> {
  const tunnelled = protocol.name === TUNNEL_PROTOCOL;
  const count = counts.streamsOf(tunnelled ? 'tunnel' : 'websocket');
  if (ticket.kind !== 'portforward')
    return await serveCommand(streams, ticket, webSocketCommand(link, protocol, ticket.request, count));
  const { sandboxId } = ticket;
  if (tunnelled)
    return await spdyPorts(new Tunnel(link), Buffer.alloc(0), { streams, sandboxId, timeouts, count });
  const ports = ticket.ports.length > 0 ? ticket.ports : portsOf(request.url ?? '');
  await webSocketPorts(link, protocol, ports, { streams, sandboxId, count });
}

async function serveCommand(
  streams: Streams,
  ticket: Exclude<Ticket, { kind: 'portforward' }>,
  wire: CommandWire,
): Promise<void> {
  if (ticket.kind === 'exec') await serveExec(streams, ticket, wire);
  else await serveAttach(streams, ticket, wire);
}

/** What the client chose among what both know; refuses with 403 and the list when there is nothing. */
function agreed<P extends { name: string }>(
  upgrade: Upgrade,
  rooms: SessionRooms,
  offered: string[],
  known: readonly P[],
): P | undefined {
  const protocol = choose(offered, known);
  if (protocol !== undefined) return protocol;
  const names = known.map(({ name }) => name);
  refused(
    upgrade,
    rooms,
    403,
    `unable to upgrade: unable to negotiate protocol: client supports ${offered.join(', ')}; server accepts ${names.join(', ')}`,
    names.map((name) => ['X-Accepted-Stream-Protocol-Versions', name] as const),
  );
  return undefined;
}

function refused(
  { socket }: Upgrade,
  { counts }: SessionRooms,
  code: number,
  why: string,
  headers: readonly (readonly [string, string])[] = [],
): void {
  counts.refuse(code);
  refuse(socket, code, why, headers);
}

function accepted(
  { request, socket, head }: Upgrade,
  protocol: ChannelProtocol,
  idleMs: number,
): Promise<WebSocketLink> {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    maxPayload: MAX_MESSAGE_BYTES,
    closeTimeout: CLOSE_MS,
  } as ConstructorParameters<typeof WebSocketServer>[0]);
  // The package takes a name with a slash, as that of the tunnel, for a broken header.
  delete request.headers['sec-websocket-protocol'];
  if (protocol.name !== '')
    server.on('headers', (lines) => void lines.push(`Sec-WebSocket-Protocol: ${protocol.name}`));
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('The client left during the handshake')));
    server.once('wsClientError', reject);
    // The link at once: what came with the handshake is read before a promise goes on.
    server.handleUpgrade(request, socket, head, (ws) => resolve(new WebSocketLink(ws, socket, idleMs)));
  });
}

/** `?port=80&port=443`, `?ports=80,443` */
function portsOf(url: string): number[] {
  const query = new URL(url, 'http://localhost').searchParams;
  const ports = [...query.getAll('port'), ...query.getAll('ports')]
    .flatMap((text) => text.split(','))
    .map(Number)
    .filter((port) => Number.isInteger(port) && port >= 1 && port <= 65_535);
  return [...new Set(ports)].slice(0, MAX_PORTS);
}
