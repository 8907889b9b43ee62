import { createServer, type Server, type Socket } from 'node:net';
import { dialLoopback } from '../native/dial.ts';

/*
 * A node's loopback is its own. This brings one of its ports out to the machine's: clients that dial by themselves
 * (kubectl, WebSocket libraries) reach the daemon through it. Bytes and half-closes pass unchanged.
 */

/** Both directions between two connections, each ending on its own. */
export function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => (from.readableEnded ? undefined : to.destroy()));
  }
}

/** A connection to a port on a node's loopback. */
export function dialNode(holder: number, port: number): Promise<Socket> {
  return dialLoopback(`/proc/${holder}/ns/net`, 4, port);
}

export class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Opens a port of the machine's loopback for one of a node's. */
  static async open(holder: number, port: number): Promise<Relay> {
    const server = createServer({ allowHalfOpen: true });
    const relay = new Relay(server);
    server.on('connection', (client) => {
      relay.#own(client);
      dialNode(holder, port).then(
        (inside) => {
          relay.#own(inside);
          join(client, inside);
        },
        () => client.destroy(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** The same URL, through this relay. */
  url(inside: string): string {
    const url = new URL(inside);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
