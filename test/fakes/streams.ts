import { PassThrough, type Duplex, type Readable, type Writable } from 'node:stream';
import { Fault } from '../../ground/fault.ts';
import type { AttachRequest, AttachSession, ExecRequest, ExecSession, Streams } from '../../pod/streams.ts';

/** A command of the fake: gets its streams, gives back its exit code. */
export type FakeCommand = (io: {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  args: string[];
  session: FakeExec;
}) => Promise<number> | number;

/** An exec of the fake, with what was done to it. */
export interface FakeExec {
  request: ExecRequest;
  sizes: [number, number][];
  killed: boolean;
  onKill: AbortController;
}

/** Commands and ports in memory. */
export class FakeStreams implements Streams {
  readonly commands: Record<string, FakeCommand> = {
    cat: async ({ stdin, stdout }) => {
      for await (const chunk of stdin) await written(stdout, chunk as Buffer);
      return 0;
    },
    exit: ({ args }) => Number(args[0]),
    echo: async ({ stdout, stderr, args }) => {
      await written(stdout, Buffer.from(args[0] ?? ''));
      await written(stderr, Buffer.from(args[1] ?? ''));
      return 0;
    },
    /** Numbers its output: `flood 10` writes ten MiB. */
    flood: async ({ stdout, args, session }) => {
      for (let block = 0; block < Number(args[0]) * 16 && !session.killed; block++)
        await written(stdout, floodBlock(block));
      return 3;
    },
    wait: ({ session }) =>
      new Promise((resolve) => session.onKill.signal.addEventListener('abort', () => resolve(137))),
  };
  readonly execs: FakeExec[] = [];
  readonly attached: {
    request: AttachRequest;
    detached: boolean;
    output: PassThrough;
    input: PassThrough;
  }[] = [];
  /** Who answers on a port; the others refuse. */
  readonly ports: Record<number, (() => Duplex) | undefined> = {};
  open = 0;

  async exec(_id: string, request: ExecRequest): Promise<ExecSession> {
    const [name = '', ...args] = request.command;
    const command = this.commands[name];
    if (command === undefined) throw new Fault('invalid', `There is no ${name}`);
    const session: FakeExec = { request, sizes: [], killed: false, onKill: new AbortController() };
    this.execs.push(session);
    this.open++;
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    for (const stream of [stdin, stdout, stderr]) stream.on('error', () => {});
    const run = async (): Promise<number> => {
      try {
        return await command({ stdin, stdout, stderr, args, session });
      } catch {
        return 141;
      } finally {
        this.open--;
        stdout.end();
        stderr.end();
        stdin.destroy();
      }
    };
    return {
      stdin: request.stdin ? stdin : undefined,
      stdout: request.stdout ? stdout : undefined,
      stderr: request.stderr ? stderr : undefined,
      exited: run(),
      resize: (columns, rows) => void session.sizes.push([columns, rows]),
      kill: () => {
        session.killed = true;
        session.onKill.abort();
        stdin.destroy(new Error('killed'));
      },
    };
  }

  async attach(_id: string, request: AttachRequest): Promise<AttachSession> {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const [input, output] = [new PassThrough(), new PassThrough()];
    const one = { request, detached: false, output, input };
    this.attached.push(one);
    output.once('end', resolve);
    return {
      stdin: request.stdin ? input : undefined,
      stdout: request.stdout ? output : undefined,
      stderr: undefined,
      tty: true,
      ended,
      resize: () => {},
      detach: () => {
        one.detached = true;
        resolve();
      },
    };
  }

  async connect(_id: string, port: number): Promise<Duplex> {
    const answer = this.ports[port];
    if (answer === undefined) throw new Fault('unavailable', `Nobody listens on port ${port}`);
    return answer();
  }
}

/** 64 KiB that tell which block they are. */
export function floodBlock(block: number): Buffer {
  const bytes = Buffer.alloc(65_536, block & 0xff);
  bytes.writeUInt32BE(block);
  return bytes;
}

async function written(stream: Writable, bytes: Buffer): Promise<void> {
  if (stream.destroyed) throw new Error('EPIPE');
  if (stream.write(bytes)) return;
  await new Promise<void>((resolve, reject) => {
    const over = (): void => reject(new Error('EPIPE'));
    stream.once('close', over);
    stream.once('drain', () => {
      stream.off('close', over);
      resolve();
    });
  });
}
