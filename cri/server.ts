import * as grpc from '@grpc/grpc-js';
import { rmSync } from 'node:fs';
import { Fault } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import { sleep } from '../ground/wait.ts';
import { Encoded } from './encoded.ts';
import type { Call, Handlers, Rooms } from './handler.ts';
import { forLog } from './redact.ts';
import { RPCS, type Rpc, type RpcDescription } from './rpc.ts';
import { socketBirth, socketPath } from './socket.ts';
import { wireStatusOf, type WireStatus } from './status.ts';

const MAX_RECEIVE_BYTES = 16 * 1024 * 1024;
/** Above the 16 MiB that a kubelet takes: lists of a crowded node still reach crictl. */
const MAX_SEND_BYTES = 64 * 1024 * 1024;
/** A caller's own timer and ours do not fire in the same millisecond. */
const DEADLINE_SLACK_MS = 20;
const LAST_WORDS_MS = 500;
/** Why calls are aborted when the daemon ends. */
const DAEMON_STOPS = new DOMException('The daemon stops', 'AbortError');

export interface ServerOptions {
  /** `unix:///run/berth/berth.sock` */
  listen: string;
  rooms: Rooms;
  handlers: Handlers;
  log: Log;
  /** Told of every call that ended: code by name, seconds it took. */
  observe?: (rpc: Rpc, code: string, seconds: number) => void;
}

type AnyHandler = (rooms: Rooms, request: object, call: Call) => unknown;
type UnaryCall = grpc.ServerUnaryCall<Buffer, Buffer>;
/** The part of a call that tells of its end. */
type Cancellable = Pick<grpc.ServerUnaryCall<Buffer, Buffer>, 'getDeadline'> & {
  once(event: 'cancelled', listener: () => void): unknown;
};
type StreamCall = grpc.ServerWritableStream<Buffer, Buffer>;

/**
 * The gRPC server of the daemon: every RPC of the three services on one unix socket, mode 0600. Every call goes
 * through the same wrapper: decoding, signal, log, metrics, status.
 */
export class Server {
  readonly #options: ServerOptions;
  readonly #server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_RECEIVE_BYTES,
    'grpc.max_send_message_length': MAX_SEND_BYTES,
    'grpc.enable_channelz': 0,
  });
  readonly #path: string;
  /** Handlers that have not come to their end, also those whose caller is gone. */
  readonly #running = new Set<Promise<unknown>>();
  /** One for each call that has not been answered. */
  readonly #aborts = new Set<AbortController>();
  readonly #stopping = new AbortController();

  #listening = false;

  /** Nobody is answered before `listen`. */
  constructor(options: ServerOptions) {
    this.#options = options;
    this.#path = socketPath(options.listen);
    for (const rpc of RPCS.values()) this.#serve(rpc);
  }

  /**
   * Listens, and resolves with itself. Rejects with Fault `exists` when another process listens on the socket; a stale
   * socket file is replaced.
   */
  async listen(): Promise<this> {
    using birth = await socketBirth(this.#path);
    await new Promise<void>((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      this.#server.bindAsync(`unix:${birth.path}`, credentials, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
    birth.publish();
    this.#listening = true;
    return this;
  }

  /** Calls whose handler has not come to its end. */
  get running(): number {
    return this.#running.size;
  }

  /**
   * Takes no more calls, waits up to `graceMs` for the running ones, then aborts them and waits as long again: each is
   * answered, with UNAVAILABLE where it was cut short. The socket file goes first, so that a successor can listen.
   */
  async close(graceMs = 3000): Promise<void> {
    if (this.#listening) rmSync(this.#path, { force: true });
    this.#stopping.abort();
    const drained = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    await atMost(graceMs, drained);
    for (const abort of this.#aborts) abort.abort(DAEMON_STOPS);
    await atMost(graceMs, Promise.allSettled(this.#running));
    // What was answered just now is on its way.
    await atMost(LAST_WORDS_MS, drained);
    this.#server.forceShutdown();
  }

  #serve(rpc: RpcDescription): void {
    const definition = {
      path: rpc.path,
      requestStream: false,
      responseStream: rpc.stream,
      // Bytes pass as they are: decoding and encoding belong to the wrapper, which knows how to report their errors.
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    const implementation = rpc.stream
      ? (call: StreamCall): void => this.#track(this.#answerStream(rpc, call))
      : (call: UnaryCall, done: grpc.sendUnaryData<Buffer>): void =>
          this.#track(this.#answerOnce(rpc, call, done));
    const methods = { [rpc.rpc]: implementation } as grpc.UntypedServiceImplementation;
    this.#server.addService({ [rpc.rpc]: definition }, methods);
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  async #answerOnce(rpc: RpcDescription, call: UnaryCall, done: grpc.sendUnaryData<Buffer>): Promise<void> {
    const ended = this.#begin(rpc, call.request);
    const abort = this.#signalFor(rpc, call);
    try {
      const request = decode(rpc, call.request);
      const response = await this.#handler(rpc)(this.#options.rooms, request, this.#call(abort));
      const bytes = encode(rpc, response);
      ended({ code: grpc.status.OK, details: '' });
      done(null, bytes);
    } catch (error) {
      const status = statusOf(rpc.rpc, error, abort.signal);
      ended(status, error);
      done(status);
    } finally {
      this.#aborts.delete(abort);
    }
  }

  async #answerStream(rpc: RpcDescription, call: StreamCall): Promise<void> {
    const ended = this.#begin(rpc, call.request);
    const abort = this.#signalFor(rpc, call);
    const { signal } = abort;
    try {
      const request = decode(rpc, call.request);
      const parts = this.#handler(rpc)(
        this.#options.rooms,
        request,
        this.#call(abort),
      ) as AsyncIterable<unknown>;
      for await (const part of parts) {
        signal.throwIfAborted();
        if (!call.write(encode(rpc, part))) await drained(call, signal);
      }
      ended({ code: grpc.status.OK, details: '' });
      call.end();
    } catch (error) {
      const status = statusOf(rpc.rpc, error, signal);
      ended(status, error);
      call.emit('error', status);
    } finally {
      this.#aborts.delete(abort);
    }
  }

  #call({ signal }: AbortController): Call {
    return { signal, stopping: this.#stopping.signal };
  }

  #handler({ rpc, path }: RpcDescription): AnyHandler {
    const handler = this.#options.handlers[rpc] as AnyHandler | undefined;
    if (handler !== undefined) return handler;
    return () => {
      throw new Fault('unimplemented', `Berth does not serve ${rpc} yet`, {
        hint: `the RPC ${path} is known, its work is not built`,
      });
    };
  }

  #signalFor(rpc: RpcDescription, call: Cancellable): AbortController {
    const abort = new AbortController();
    this.#aborts.add(abort);
    // The stream's end comes by the same event after an answer: then nothing is left to abort.
    call.once('cancelled', () => {
      if (this.#aborts.has(abort)) abort.abort(reasonOf(rpc.rpc, call.getDeadline()));
    });
    return abort;
  }

  /** Logs and measures one call; the function that it gives back is called with its end. */
  #begin(
    { rpc, request: codec }: RpcDescription,
    bytes: Buffer,
  ): (status: WireStatus, error?: unknown) => void {
    const { log, observe } = this.#options;
    const begun = performance.now();
    // toJSON runs only if the line is written at all.
    log.debug({ rpc, request: { toJSON: () => forLog(codec.decode(bytes)) } }, 'call');
    return ({ code, details }, error) => {
      const ms = performance.now() - begun;
      const name = grpc.status[code];
      observe?.(rpc, name, ms / 1000);
      const ended = { rpc, code: name, ms: Math.round(ms * 100) / 100 };
      if (code === grpc.status.OK) return log.debug(ended, 'done');
      const fields = { ...ended, ...objectOf(error), ...idsOf(codec, bytes) };
      const unexpected = code === grpc.status.UNKNOWN && !(error instanceof Fault);
      const stack = unexpected && error instanceof Error ? { stack: error.stack } : {};
      if (LOUD.has(code)) log.error({ ...fields, ...stack }, details);
      else log.info(fields, details);
    };
  }
}

/** A call that the end of the daemon cut short is one to make again, however its work came to its end. */
function statusOf(rpc: Rpc, error: unknown, signal: AbortSignal): WireStatus {
  const status = wireStatusOf(rpc, error);
  if (signal.reason !== DAEMON_STOPS) return status;
  const details = `The daemon stops and has cut ${rpc} short; call it again: ${status.details}`;
  return { code: grpc.status.UNAVAILABLE, details };
}

/** The objects that a request names. */
function idsOf(
  { decode }: RpcDescription['request'],
  bytes: Buffer,
): { sandbox?: string; container?: string } {
  try {
    const { podSandboxId, containerId } = decode(bytes) as { podSandboxId?: string; containerId?: string };
    return {
      ...(podSandboxId ? { sandbox: podSandboxId } : {}),
      ...(containerId ? { container: containerId } : {}),
    };
  } catch {
    return {}; // that it cannot be read is what is being logged
  }
}

/** What an error is about, so that a log can be searched for it: a pod, a container or an image, and the stage. */
function objectOf(error: unknown): { sandbox?: string; container?: string; image?: string; stage?: string } {
  if (!(error instanceof Fault)) return {};
  const [, kind, name] = /^(sandbox|container|image) (\S+)/.exec(error.subject ?? '') ?? [];
  return {
    ...(kind === undefined ? {} : { [kind]: name }),
    ...(error.stage === undefined ? {} : { stage: error.stage }),
  };
}

/** Codes that say that something is wrong with this node, not with the call. */
const LOUD = new Set([grpc.status.UNKNOWN, grpc.status.INTERNAL, grpc.status.DATA_LOSS]);

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function decode({ rpc, request }: RpcDescription, bytes: Buffer): object {
  try {
    return request.decode(bytes);
  } catch (error) {
    throw new Fault('invalid', `The request of ${rpc} cannot be read`, { cause: error });
  }
}

function encode({ rpc, response }: RpcDescription, message: unknown): Buffer {
  const answer = message instanceof Encoded ? message : new Encoded([response.encode(message as object)]);
  if (answer.length <= MAX_SEND_BYTES) return answer.bytes();
  throw new Fault(
    'exhausted',
    `The answer of ${rpc} has ${answer.length} bytes, more than ${MAX_SEND_BYTES}`,
    {
      hint: 'use a filter, or the streaming form of the list',
    },
  );
}

/** Why a call is over before its answer: its deadline, or its caller. */
function reasonOf(rpc: Rpc, deadline: grpc.Deadline): DOMException {
  if (Date.now() >= Number(deadline) - DEADLINE_SLACK_MS)
    return new DOMException(`The deadline of ${rpc} passed`, 'TimeoutError');
  return new DOMException(`The caller of ${rpc} went away`, 'AbortError');
}

/** Waits for `work`, `ms` at most. The timer ends with the wait: it would hold the process. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const late = sleep(ms, over.signal).catch(() => undefined); // aborted: the work was done in time
  await Promise.race([work, late]);
  over.abort();
}

function drained(call: StreamCall, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = (): void => reject(signal.reason);
    signal.addEventListener('abort', over, { once: true });
    call.once('drain', () => {
      signal.removeEventListener('abort', over);
      resolve();
    });
  });
}
