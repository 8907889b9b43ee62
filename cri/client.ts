import * as grpc from '@grpc/grpc-js';
import { rpcOf, type RequestInput, type ResponseOf, type Rpc, type StreamRpc, type UnaryRpc } from './rpc.ts';

/** A message can be as large as the server may send. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

export interface ClientOptions {
  /** Largest answer that is taken. Default: as large as the server may send. */
  maxReceiveBytes?: number;
}

export interface CallOptions {
  /** Milliseconds from now; the deadline travels to the server. */
  deadlineMs?: number;
  /** An abort cancels the call. */
  signal?: AbortSignal;
}

/** A call that did not end well, with the gRPC code by name. */
export class RpcError extends Error {
  readonly rpc: Rpc;
  /** `NOT_FOUND`, `DEADLINE_EXCEEDED`, … */
  readonly code: keyof typeof grpc.status;
  /** The server's text alone. */
  readonly details: string;

  constructor(rpc: Rpc, error: grpc.ServiceError) {
    const code = grpc.status[error.code] as keyof typeof grpc.status;
    super(`${rpc}: ${code}: ${error.details}`, { cause: error });
    this.name = 'RpcError';
    this.rpc = rpc;
    this.code = code;
    this.details = error.details;
  }
}

/**
 * What the runtime may send before it hears of us. A list of a crowded node is larger than HTTP/2's 64 KiB, and would
 * wait for a word of ours in its middle; a kubelet's grpc-go lets its window grow by itself.
 */
const WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * A caller of a CRI runtime on a unix socket: Berth, or any other one. Requests may leave out any field; responses
 * have them all. Close it when done: an open connection keeps the process alive.
 */
export class Client implements Disposable {
  readonly #client: grpc.Client;

  /** Connects when the first call is made. `socket` is the path, with or without `unix://` in front. */
  constructor(socket: string, { maxReceiveBytes = MAX_MESSAGE_BYTES }: ClientOptions = {}) {
    const path = socket.replace(/^unix:(\/\/)?/, '');
    this.#client = new grpc.Client(`unix:${path}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': maxReceiveBytes,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      // Each client has its own connection, so that closing one ends what it holds.
      'grpc.use_local_subchannel_pool': 1,
      'grpc-node.flow_control_window': WINDOW_BYTES,
    });
  }

  /** One call, one answer. Rejects with RpcError. */
  call<R extends UnaryRpc>(
    rpc: R,
    request: RequestInput<R>,
    options: CallOptions = {},
  ): Promise<ResponseOf<R>> {
    const { path, request: input, response: output } = rpcOf(rpc);
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        path,
        (value: RequestInput<R>) => input.encode(value as object),
        (bytes) => output.decode(bytes) as ResponseOf<R>,
        request,
        new grpc.Metadata(),
        callOptions(options),
        (error, response) => {
          options.signal?.removeEventListener('abort', cancel);
          if (error !== null) reject(new RpcError(rpc, error));
          else resolve(response!);
        },
      );
      const cancel = (): void => call.cancel();
      options.signal?.addEventListener('abort', cancel, { once: true });
      if (options.signal?.aborted) call.cancel();
    });
  }

  /** One call, many answers. Throws RpcError from the iteration; leaving the iteration cancels the call. */
  async *stream<R extends StreamRpc>(
    rpc: R,
    request: RequestInput<R>,
    options: CallOptions = {},
  ): AsyncGenerator<ResponseOf<R>> {
    const { path, request: input, response: output } = rpcOf(rpc);
    const call = this.#client.makeServerStreamRequest(
      path,
      (value: RequestInput<R>) => input.encode(value as object),
      (bytes) => output.decode(bytes) as ResponseOf<R>,
      request,
      new grpc.Metadata(),
      callOptions(options),
    );
    const cancel = (): void => call.cancel();
    options.signal?.addEventListener('abort', cancel, { once: true });
    if (options.signal?.aborted) call.cancel();
    // A cancelled call reports itself once more after the iteration has gone.
    call.on('error', () => {});
    try {
      for await (const response of call) yield response as ResponseOf<R>;
    } catch (error) {
      throw new RpcError(rpc, error as grpc.ServiceError);
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      call.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function callOptions({ deadlineMs }: CallOptions): grpc.CallOptions {
  return deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
}
