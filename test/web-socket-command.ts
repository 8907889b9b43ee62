import { Readable, Writable } from 'node:stream';
import { WebSocket } from 'ws';
import type { CommandStatus } from './remote-command.ts';

/** The first byte of each message (v4.channel.k8s.io), and of v5 the message that ends a channel. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

const PIECE = 32 * 1024;

export const WEB_SOCKET_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** Exec or attach over a WebSocket, as kubectl and client-node speak it. */
export class WebSocketCommand {
  readonly socket: WebSocket;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** All of the error channel. */
  readonly errorText: Promise<string>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    const output = (): Readable => new Readable({ read: () => socket.resume(), highWaterMark: 256 * 1024 });
    this.stdout = output();
    this.stderr = output();
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        // No message is large: as kubectl's, whose pieces have 32 KiB.
        for (let at = 0; at < chunk.length; at += PIECE) {
          const last = at + PIECE >= chunk.length;
          const piece = Buffer.concat([Buffer.of(CHANNEL.stdin), chunk.subarray(at, at + PIECE)]);
          socket.send(piece, () => (last ? done() : undefined));
        }
      },
      final: (done) => {
        if (socket.protocol.startsWith('v5')) socket.send(Buffer.of(CHANNEL.close, CHANNEL.stdin));
        done();
      },
    });
    const errors: Buffer[] = [];
    this.errorText = new Promise((resolve) => {
      socket.on('message', (data: Buffer) => {
        const [channel, bytes] = [data[0], data.subarray(1)];
        const output = channel === CHANNEL.stdout ? this.stdout : this.stderr;
        if (channel === CHANNEL.error) errors.push(bytes);
        else if (channel === CHANNEL.stdout || channel === CHANNEL.stderr)
          if (bytes.length > 0 && !output.push(bytes)) socket.pause();
      });
      socket.on('close', () => {
        for (const one of [this.stdout, this.stderr]) one.push(null);
        resolve(Buffer.concat(errors).toString());
      });
    });
    socket.on('error', () => {});
  }

  /** Connects to the URL of an Exec or Attach answer. Rejects when the server refuses. */
  static connect(url: string, protocols: string[] = WEB_SOCKET_PROTOCOLS): Promise<WebSocketCommand> {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, { perMessageDeflate: false });
    const command = new WebSocketCommand(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(command));
      socket.once('error', reject);
    });
  }

  resize(columns: number, rows: number): void {
    const size = Buffer.from(JSON.stringify({ Width: columns, Height: rows }));
    this.socket.send(Buffer.concat([Buffer.of(CHANNEL.resize), size]));
  }

  async status(): Promise<CommandStatus> {
    return JSON.parse(await this.errorText) as CommandStatus;
  }

  /** The exit code in the status. */
  async exitCode(): Promise<number> {
    const status = await this.status();
    if (status.status === 'Success') return 0;
    return Number(status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message);
  }
}
