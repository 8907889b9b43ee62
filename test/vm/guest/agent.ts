import { spawn, type ChildProcess } from 'node:child_process';
import { constants, openSync, read, readFileSync, write } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { constants as os } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Lines, type Answer, type Request } from './protocol.ts';

/*
 * The service inside the machine that does what the host asks for (see protocol.ts, which lies beside it there).
 * It imports nothing of the project: it is there before the sources are.
 */

/** Output that a command's children hold open after its end is waited for this long. */
const DRAIN_MS = 500;
const CHUNK = 64 << 10;

const readPort = promisify(read);
const writePort = promisify(write);
const commands = new Map<number, ChildProcess>();

/** The port by udev's name, or by the kernel's before udev has seen it. It can be opened only once. */
function openPort(): number {
  try {
    return openSync('/dev/virtio-ports/berth', constants.O_RDWR);
  } catch {
    return openSync('/dev/vport0p1', constants.O_RDWR);
  }
}

const port = openPort();
let written: Promise<unknown> = Promise.resolve();

function say(answer: Answer): Promise<unknown> {
  const line = Buffer.from(`${JSON.stringify(answer)}\n`);
  written = written.then(async () => {
    for (let done = 0; done < line.length;)
      done += (await writePort(port, line, done, line.length - done, null)).bytesWritten;
  });
  return written;
}

function run({ id, argv, env, cwd }: Extract<Request, { op: 'run' }>): void {
  const [file, ...args] = argv;
  const child = spawn(file!, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  commands.set(id, child);
  let ended = false;
  const end = (code: number): void => {
    if (ended) return;
    ended = true;
    commands.delete(id);
    void say({ id, op: 'end', code });
  };
  for (const [stream, pipe] of [
    [1, child.stdout],
    [2, child.stderr],
  ] as const)
    pipe.on('data', (data: Buffer) => {
      if (ended) return;
      pipe.pause();
      void say({ id, op: 'output', stream, data: data.toString('base64') }).then(() => pipe.resume());
    });
  child.on('error', (error) => {
    commands.delete(id);
    void say({ id, op: 'failed', reason: error.message });
    ended = true;
  });
  const codeOf = (code: number | null, signal: NodeJS.Signals | null): number =>
    code ?? 128 + os.signals[signal!];
  child.on('close', (code, signal) => end(codeOf(code, signal)));
  child.on('exit', (code, signal) => setTimeout(() => end(codeOf(code, signal)), DRAIN_MS));
}

async function serve(request: Request): Promise<void> {
  switch (request.op) {
    case 'run':
      return run(request);
    case 'signal': {
      const pid = commands.get(request.of)?.pid;
      if (pid !== undefined) process.kill(-pid, request.signal);
      return;
    }
    case 'read':
      await say({ id: request.id, op: 'data', data: (await readFile(request.path)).toString('base64') });
      return;
    case 'write':
      await mkdir(dirname(request.path), { recursive: true });
      await writeFile(request.path, Buffer.from(request.data, 'base64'), { mode: request.mode });
      await say({ id: request.id, op: 'end', code: 0 });
  }
}

const lines = new Lines();
const buffer = Buffer.alloc(CHUNK);
// An empty line first: whatever a former life left half written ends there.
await writePort(port, Buffer.from('\n'));
await say({ op: 'hello', bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() });
for (;;) {
  const { bytesRead } = await readPort(port, buffer, 0, CHUNK, null);
  if (bytesRead === 0) await sleep(100); // nobody is at the other end
  for (const line of lines.push(buffer.toString('latin1', 0, bytesRead))) {
    const request = JSON.parse(line) as Request;
    serve(request).catch((error: Error) => say({ id: request.id, op: 'failed', reason: error.message }));
  }
}
