import { SpdyClient, type SpdyClientOptions, type SpdyClientStream } from './spdy-client.ts';

/*
 * What kubectl does with a SPDY connection, for tests: a remote command with its streams, and forwarded ports.
 */

/** metav1.Status, as far as it is looked at. */
export interface CommandStatus {
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
  code?: number;
}

export interface CommandOptions extends Partial<SpdyClientOptions> {
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  tty?: boolean;
}

/** All versions, the newest first. */
export const COMMAND_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
];

/** Exec or attach as kubectl does it; by default with stdout and stderr. */
export class RemoteCommand {
  readonly client: SpdyClient;
  readonly error: SpdyClientStream;
  readonly stdin: SpdyClientStream | undefined;
  readonly stdout: SpdyClientStream | undefined;
  readonly stderr: SpdyClientStream | undefined;
  readonly #resize: SpdyClientStream | undefined;
  /** All of the error stream: JSON from v4 on, else a text that is empty after success. */
  readonly errorText: Promise<string>;

  private constructor(client: SpdyClient, options: CommandOptions) {
    this.client = client;
    const open = (wanted: boolean | undefined, streamType: string): SpdyClientStream | undefined =>
      wanted === true ? client.open({ streamType }) : undefined;
    const { stdin, stdout = true, tty = false, stderr = !tty } = options;
    this.error = client.open({ streamType: 'error' });
    this.stdin = open(stdin, 'stdin');
    this.stdout = open(stdout, 'stdout');
    this.stderr = open(stderr, 'stderr');
    this.#resize = open(tty && /^v[345]\./.test(client.protocol), 'resize');
    this.errorText = textOf(this.error);
    this.errorText.catch(() => {});
    for (const stream of [this.error, this.stdin, this.stdout, this.stderr, this.#resize])
      stream?.on('error', () => {});
  }

  /** Connects to the URL of an Exec or Attach answer. */
  static async connect(url: string, options: CommandOptions = {}): Promise<RemoteCommand> {
    const client = await SpdyClient.connect(url, { protocols: COMMAND_PROTOCOLS, ...options });
    return new RemoteCommand(client, options);
  }

  /** The status that came on the error stream, from v4 on. */
  async status(): Promise<CommandStatus> {
    return JSON.parse(await this.errorText) as CommandStatus;
  }

  /** The exit code in the status. */
  async exitCode(): Promise<number> {
    const status = await this.status();
    if (status.status === 'Success') return 0;
    const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode');
    if (cause === undefined) throw new Error(status.message);
    return Number(cause.message);
  }

  /** Tells the terminal's size. */
  resize(columns: number, rows: number): void {
    this.#resize!.write(`${JSON.stringify({ Width: columns, Height: rows })}\n`);
  }

  /** Reads all to the end, then closes the connection as kubectl does. */
  async finish(): Promise<{ stdout: Buffer; stderr: Buffer; error: string }> {
    const [stdout, stderr, error] = await Promise.all([
      bytesOf(this.stdout),
      bytesOf(this.stderr),
      this.errorText,
    ]);
    this.client.close();
    await this.client.closed;
    return { stdout, stderr, error };
  }
}

/** One connection through a forwarded port. */
export interface ForwardedConnection {
  data: SpdyClientStream;
  error: SpdyClientStream;
  /** What the error stream said; empty when all went well. */
  errorText: Promise<string>;
}

/** A port-forward session over SPDY, as kubectl's. */
export class PortForwardClient {
  readonly client: SpdyClient;
  #next = 0;

  constructor(client: SpdyClient) {
    this.client = client;
  }

  /** Connects to the URL of a PortForward answer. */
  static async connect(url: string, options: Partial<SpdyClientOptions> = {}): Promise<PortForwardClient> {
    return new PortForwardClient(
      await SpdyClient.connect(url, { protocols: ['portforward.k8s.io'], ...options }),
    );
  }

  /** One more connection to a port of the pod. */
  open(port: number): ForwardedConnection {
    const pair = { port: String(port), requestID: String(this.#next++) };
    const error = this.client.open({ streamType: 'error', ...pair });
    error.end();
    const data = this.client.open({ streamType: 'data', ...pair });
    for (const stream of [data, error]) stream.on('error', () => {});
    const errorText = textOf(error);
    errorText.catch(() => {});
    return { data, error, errorText };
  }
}

/** All bytes of a stream. Rejects when it is reset. */
export async function bytesOf(stream: NodeJS.ReadableStream | undefined): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream ?? []) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** All text of a stream. */
export async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  return (await bytesOf(stream)).toString();
}
