import type { TestNode } from './node.ts';
import { Relay } from './relay.ts';
import { PortForwardClient, RemoteCommand, type CommandOptions } from './remote-command.ts';
import { WebSocketCommand } from './websocket-command.ts';

/** How a client wants to speak. */
export const TRANSPORTS = ['SPDY', 'WebSocket'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** The streaming server of a test node, as clients of the machine reach it. */
export class NodeStreams implements AsyncDisposable {
  readonly #node: TestNode;
  readonly #relays = new Map<number, Promise<Relay>>();
  readonly #open: (() => void)[] = [];

  constructor(node: TestNode) {
    this.#node = node;
  }

  /** Exec over SPDY; by default with stdout and stderr. */
  async exec(containerId: string, cmd: string[], options: CommandOptions = {}): Promise<RemoteCommand> {
    return this.#spdy(await this.execUrl(containerId, cmd, options), options);
  }

  async execUrl(containerId: string, cmd: string[], options: CommandOptions = {}): Promise<string> {
    const { url } = await this.#node.client.call('Exec', { containerId, cmd, ...streamsOf(options) });
    return this.#outside(url);
  }

  /** Exec over a WebSocket, with the newest protocol. */
  async webSocketExec(
    containerId: string,
    cmd: string[],
    options: CommandOptions = {},
  ): Promise<WebSocketCommand> {
    return this.#webSocket(await this.execUrl(containerId, cmd, options));
  }

  async attachUrl(containerId: string, options: CommandOptions = {}): Promise<string> {
    const { url } = await this.#node.client.call('Attach', { containerId, ...streamsOf(options) });
    return this.#outside(url);
  }

  /** Attach over SPDY. */
  async attach(containerId: string, options: CommandOptions = {}): Promise<RemoteCommand> {
    return this.#spdy(await this.attachUrl(containerId, options), options);
  }

  async webSocketAttach(containerId: string, options: CommandOptions = {}): Promise<WebSocketCommand> {
    return this.#webSocket(await this.attachUrl(containerId, options));
  }

  async forwardUrl(podSandboxId: string, port: number[] = []): Promise<string> {
    const { url } = await this.#node.client.call('PortForward', { podSandboxId, port });
    return this.#outside(url);
  }

  /** PortForward over SPDY. */
  async forward(podSandboxId: string): Promise<PortForwardClient> {
    const session = await PortForwardClient.connect(await this.forwardUrl(podSandboxId));
    this.#open.push(() => session.client.destroy());
    return session;
  }

  /** Leaves all sessions that were opened. */
  hangUp(): void {
    for (const leave of this.#open.splice(0)) leave();
  }

  async #spdy(url: string, options: CommandOptions): Promise<RemoteCommand> {
    const command = await RemoteCommand.connect(url, options);
    this.#open.push(() => command.client.destroy());
    return command;
  }

  async #webSocket(url: string): Promise<WebSocketCommand> {
    const command = await WebSocketCommand.connect(url);
    this.#open.push(() => command.socket.terminate());
    return command;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const relay of this.#relays.values()) await (await relay)[Symbol.asyncDispose]();
    this.#relays.clear();
  }

  /** A daemon that was started again listens at another port. */
  async #outside(url: string): Promise<string> {
    const port = Number(new URL(url).port);
    const relay = this.#relays.get(port) ?? Relay.open(this.#node.holder, port);
    this.#relays.set(port, relay);
    return (await relay).url(url);
  }
}

function streamsOf({ stdin = false, stdout = true, tty = false, stderr = !tty }: CommandOptions): {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
} {
  return { stdin, stdout, stderr, tty };
}
