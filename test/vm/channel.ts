import { createServer, type Server, type Socket } from 'node:net';
import { Lines, type Answer, type Request } from './guest/protocol.ts';

/** How a command inside the machine ended, and what it wrote. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** The command is killed after this long, and the promise rejects. Default: two minutes. */
  limitMs?: number;
  /** Called with output as it comes. */
  onOutput?: (data: Buffer, stream: 1 | 2) => void;
}

interface Pending {
  answer: (answer: Exclude<Answer, { op: 'hello' }>) => void;
  fail: (error: Error) => void;
}

type Ask<R> = R extends { id: number } ? Omit<R, 'id'> : never;

/**
 * The host's end of the line to the agent in the machine: requests and their answers, any number at once.
 *
 *   silent --hello--> speaking --hello of another boot--> speaking (what was under way has failed)
 *                        \---- lost(), close() ---> silent (the same)
 */
export class Channel {
  readonly #server: Server;
  readonly #pending = new Map<number, Pending>();
  #socket: Socket | undefined;
  #bootId: string | undefined;
  #greeted = Promise.withResolvers<string>();
  #next = 1;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#speak(socket));
  }

  /** Listens on a unix socket, to which qemu connects the machine's port. */
  static async listen(path: string): Promise<Channel> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    return new Channel(server);
  }

  /** Resolves with the boot id when the agent of the present boot speaks. */
  get greeted(): Promise<string> {
    return this.#greeted.promise;
  }

  /** From now on the next hello counts: the machine is about to go down. */
  expectReboot(): void {
    this.#greeted = Promise.withResolvers<string>();
  }

  /** Runs a command and resolves when it has ended, whatever its code. */
  run(
    argv: string[],
    { env = {}, cwd = '/', limitMs = 120_000, onOutput }: RunOptions = {},
  ): Promise<Outcome> {
    const output: [Buffer[], Buffer[]] = [[], []];
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const id = this.#ask({ op: 'run', argv, env, cwd }, reject, (answer) => {
      if (answer.op === 'output') {
        const data = Buffer.from(answer.data, 'base64');
        output[answer.stream - 1]!.push(data);
        onOutput?.(data, answer.stream);
      } else if (answer.op === 'end') {
        const [stdout, stderr] = output.map((parts) => Buffer.concat(parts).toString());
        resolve({ code: answer.code, stdout: stdout!, stderr: stderr! });
      }
    });
    const timer = setTimeout(() => {
      this.#send({ id: 0, op: 'signal', of: id, signal: 'SIGKILL' });
      const tail = Buffer.concat(output.flat()).toString().slice(-2000);
      reject(new Error(`${argv.join(' ').slice(0, 200)} took longer than ${limitMs / 1000} s:\n${tail}`));
      this.#pending.delete(id);
    }, limitMs);
    return promise.finally(() => clearTimeout(timer));
  }

  /** The bytes of a file in the machine. */
  readFile(path: string): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#ask({ op: 'read', path }, reject, (answer) => {
      if (answer.op === 'data') resolve(Buffer.from(answer.data, 'base64'));
    });
    return promise;
  }

  /** Writes a file in the machine; its directories are made. */
  writeFile(path: string, content: Buffer | string, mode = 0o644): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const data = Buffer.from(content).toString('base64');
    this.#ask({ op: 'write', path, data, mode }, reject, () => resolve());
    return promise;
  }

  /** The machine is gone: what was under way fails with `reason`. */
  lost(reason: string): void {
    for (const { fail } of this.#pending.values()) fail(new Error(reason));
    this.#pending.clear();
    this.#greeted.promise.catch(() => undefined);
    this.#greeted.reject(new Error(reason));
  }

  close(): void {
    this.lost('The channel was closed');
    this.#socket?.destroy();
    this.#server.close();
  }

  #ask(request: Ask<Request>, fail: Pending['fail'], answer: Pending['answer']): number {
    const id = this.#next++;
    this.#pending.set(id, { answer, fail });
    this.#send({ ...request, id });
    return id;
  }

  #send(request: Request): void {
    this.#socket?.write(`${JSON.stringify(request)}\n`);
  }

  #speak(socket: Socket): void {
    this.#socket = socket;
    const lines = new Lines();
    socket.setEncoding('latin1');
    socket.on('data', (data: string) => lines.push(data).forEach((line) => this.#hear(line)));
    socket.on('error', () => undefined); // the process that held the other end tells more by its ending
  }

  #hear(line: string): void {
    if (!line.startsWith('{')) return; // the rest of what a former boot had begun to say
    const answer = JSON.parse(line) as Answer;
    if (answer.op === 'hello') {
      if (this.#bootId !== undefined && this.#bootId !== answer.bootId) {
        for (const { fail } of this.#pending.values()) fail(new Error('The machine rebooted meanwhile'));
        this.#pending.clear();
      }
      this.#bootId = answer.bootId;
      this.#greeted.resolve(answer.bootId);
      return;
    }
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) return;
    if (answer.op !== 'output') this.#pending.delete(answer.id);
    if (answer.op === 'failed') pending.fail(new Error(answer.reason));
    else pending.answer(answer);
  }
}
