import { WebSocket } from 'ws';

/** The channels of a WebSocket, as kubectl's or a browser's, message by message. */
export class WebSocketChannels {
  readonly socket: WebSocket;
  /** What came on each channel, until somebody listens. */
  readonly output: Buffer[][] = [[], [], [], []];
  /** The number of bytes in `output`. */
  bytes = 0;
  /** Settles with the close code. */
  readonly closed: Promise<number>;
  readonly #base64: boolean;
  /** Whether to keep what comes; the status is kept in any case. */
  keep = true;
  #listener: ((channel: number, payload: Buffer) => void) | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.#base64 = socket.protocol.includes('base64');
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.on('message', (data: Buffer) => {
      const channel = this.#base64 ? Number(String.fromCharCode(data[0]!)) : data[0]!;
      const payload = this.#base64 ? Buffer.from(data.toString('latin1', 1), 'base64') : data.subarray(1);
      this.bytes += payload.length;
      if (this.#listener !== undefined) return this.#listener(channel, payload);
      if (this.keep || channel === 3) this.output[channel]!.push(payload);
    });
  }

  /** Connects to the URL of an Exec or Attach answer. */
  static connect(url: string, protocols: string[], options: object = {}): Promise<WebSocketChannels> {
    const socket = new WebSocket(url, protocols, options);
    return new Promise((resolve, reject) => {
      // Here, and not when it is open: messages may come with the answer to the handshake.
      socket.once('upgrade', (response) => {
        Object.defineProperty(socket, 'protocol', {
          value: response.headers['sec-websocket-protocol'] ?? '',
          configurable: true,
          writable: true,
        });
        const command = new WebSocketChannels(socket);
        socket.once('open', () => resolve(command));
      });
      socket.once('error', reject);
    });
  }

  /** Tells of all messages, those that have come and those that come. */
  listen(listener: (channel: number, payload: Buffer) => void): void {
    this.#listener = listener;
    this.output.forEach((parts, channel) => parts.splice(0).forEach((part) => listener(channel, part)));
  }

  /** Sends a message on a channel. Resolves when it is out. */
  send(channel: number, data: Uint8Array | string): Promise<void> {
    const bytes = Buffer.from(data);
    const message = this.#base64
      ? `${channel}${bytes.toString('base64')}`
      : Buffer.concat([Buffer.from([channel]), bytes]);
    return new Promise((resolve, reject) =>
      this.socket.send(message, (error) => (error instanceof Error ? reject(error) : resolve())),
    );
  }

  /** v5: closes a channel. */
  closeChannel(channel: number): Promise<void> {
    return this.send(255, Buffer.from([channel]));
  }

  /** All of a channel as a text. */
  text(channel: number): string {
    return Buffer.concat(this.output[channel]!).toString();
  }
}
