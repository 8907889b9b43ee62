import { Readable, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { CommandStatus } from './remote-command.ts';
import { WebSocketChannels } from './websocket-channels.ts';

/** The numbers of the channels of a command. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const PIECE = 32 * 1024;

export const WEB_SOCKET_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** Exec or attach over a WebSocket with streams, as kubectl and client-node have them. */
export class WebSocketCommand {
  readonly socket: WebSocket;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** All of the error channel. */
  readonly errorText: Promise<string>;
  readonly #channels: WebSocketChannels;

  private constructor(channels: WebSocketChannels) {
    const { socket } = channels;
    this.#channels = channels;
    this.socket = socket;
    const output = (): Readable => new Readable({ read: () => socket.resume(), highWaterMark: 256 * 1024 });
    this.stdout = output();
    this.stderr = output();
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        // No message is large: as kubectl's, whose pieces have 32 KiB. Who has left is no error.
        let sent: Promise<void> = Promise.resolve();
        for (let at = 0; at < chunk.length; at += PIECE)
          sent = channels.send(CHANNEL.stdin, chunk.subarray(at, at + PIECE)).catch(() => {});
        void sent.finally(() => done());
      },
      final: (done) => {
        if (socket.protocol.startsWith('v5')) channels.closeChannel(CHANNEL.stdin).catch(() => {});
        done();
      },
    });
    const errors: Buffer[] = [];
    channels.listen((channel, bytes) => {
      if (channel === CHANNEL.error) errors.push(bytes);
      const stream = channel === CHANNEL.stdout ? this.stdout : this.stderr;
      if (channel !== CHANNEL.stdout && channel !== CHANNEL.stderr) return;
      if (bytes.length > 0 && !stream.push(bytes)) socket.pause();
    });
    this.errorText = channels.closed.then(() => {
      for (const one of [this.stdout, this.stderr]) one.push(null);
      return Buffer.concat(errors).toString();
    });
  }

  /** Connects to the URL of an Exec or Attach answer. Rejects when the server refuses. */
  static async connect(url: string, protocols: string[] = WEB_SOCKET_PROTOCOLS): Promise<WebSocketCommand> {
    const options = { perMessageDeflate: false };
    return new WebSocketCommand(
      await WebSocketChannels.connect(url.replace(/^http/, 'ws'), protocols, options),
    );
  }

  resize(columns: number, rows: number): void {
    const size = JSON.stringify({ Width: columns, Height: rows });
    this.#channels.send(CHANNEL.resize, size).catch(() => {});
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
