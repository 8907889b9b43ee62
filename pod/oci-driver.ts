import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Fault, messageOf } from '../ground/fault.ts';
import type { Limit } from '../ground/limit.ts';
import { isErrno } from '../native/errno.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { umount } from '../native/mount.ts';
import { run } from '../native/run.ts';
import { DEFAULT_PATH } from '../native/spawn.ts';
import type { Limits } from './cgroup/limits.ts';
import { EmptyInputProgram } from './elf/empty-input.ts';
import { SealedProgram } from './sealed-program.ts';
import { lastRuntimeError, type CheckpointFiles, type ExecFiles, type OciRuntime } from './oci-runtime.ts';

/** No verb of a runtime takes longer than this on a node that works at all. */
const VERB_TIMEOUT_MS = 60_000;

export interface OciDriverOptions {
  name: string;
  path: string;
  /** Where the runtime keeps its own state. */
  root: string;
  systemdCgroup: boolean;
  exits: ExitWatcher;
  limit: Limit;
}

/**
 * crun and runc share one command line (runc's `man runc`); this drives both. Each verb is one child with a log file
 * of its own, from which a failure's words are read.
 */
export class OciDriver implements OciRuntime {
  readonly name: string;
  readonly path: string;
  readonly globalArgs: readonly string[];
  readonly takesCompiledFilter: boolean;
  /**
   * Whether the daemon writes the byte itself that crun's `start` writes: it is all that `start` does for a container
   * without hooks, and spares a child of 6 ms.
   */
  readonly takesStartByFifo: boolean;
  readonly #root: string;
  /** For crun, which otherwise copies itself at every start. (runc does so for `create` alone, and is large.) */
  readonly #sealed: SealedProgram | undefined;
  readonly #emptyInput = new EmptyInputProgram();
  readonly #emptyStreams = new EmptyInputProgram({ terminal: true });
  readonly #exits: ExitWatcher;
  readonly #limit: Limit;
  #verbs = 0;

  constructor(options: OciDriverOptions) {
    this.name = options.name;
    this.path = options.path;
    if (basename(options.path) === 'crun') this.#sealed = new SealedProgram(options.path);
    this.takesCompiledFilter = this.takesStartByFifo = basename(options.path) === 'crun';
    this.#root = options.root;
    this.#exits = options.exits;
    this.#limit = options.limit;
    const logs = join(this.#root, 'logs');
    // What is there belongs to calls of a daemon that was killed: nobody reads it any more.
    rmSync(logs, { recursive: true, force: true });
    mkdirSync(logs, { recursive: true, mode: 0o700 });
    // Made now: what is open in this process does not depend on which pods there were.
    for (const terminal of [false, true]) this.programWithoutInput(terminal);
    this.globalArgs = [`--root=${this.#root}`, ...(options.systemdCgroup ? ['--systemd-cgroup'] : [])];
  }

  async create(id: string, bundle: string, pidFile: string, signal?: AbortSignal): Promise<void> {
    await this.#verb('create', ['--bundle', bundle, '--pid-file', pidFile, id], id, signal);
  }

  program(): string {
    return this.#sealed?.path() ?? this.path;
  }

  programWithoutInput(terminal = false): string | undefined {
    return (terminal ? this.#emptyStreams : this.#emptyInput).path(this.program());
  }

  startFifo(id: string): string {
    return join(this.#root, id, 'exec.fifo');
  }

  async start(id: string, signal?: AbortSignal, hooks = false): Promise<void> {
    if (!hooks && this.takesStartByFifo && writeStart(this.startFifo(id))) return;
    await this.#verb('start', [id], id, signal);
  }

  async update(id: string, resources: Limits, signal?: AbortSignal): Promise<void> {
    const file = join(this.#root, 'logs', `${id}.${this.#verbs++}.json`);
    writeFileSync(file, JSON.stringify(resources), { mode: 0o600 });
    try {
      await this.#verb('update', ['--resources', file, id], id, signal);
    } finally {
      rmSync(file, { force: true });
    }
  }

  async checkpoint(id: string, { criu, images, work }: CheckpointFiles, signal?: AbortSignal): Promise<void> {
    const flags = [`--image-path=${images}`, `--work-path=${work}`, '--leave-running'];
    try {
      // The caller's signal is its only limit. The runtime looks for criu in its PATH.
      const env = [`PATH=${dirname(criu)}:${DEFAULT_PATH}`];
      await this.#verb('checkpoint', [...flags, id], id, signal, { timeoutMs: 0, env });
    } catch (error) {
      if (!/unknown command|no such command/i.test(messageOf(error))) throw error;
      throw this.#withoutCheckpoints(error);
    }
  }

  async requireRestore(): Promise<void> {
    const argv = [this.path, 'restore', '--help'];
    const result = await run(this.#exits, { path: this.path, argv, timeoutMs: VERB_TIMEOUT_MS });
    if (result.code !== 0) throw this.#withoutCheckpoints();
  }

  #withoutCheckpoints(cause?: unknown): Fault {
    return new Fault('precondition', `${this.path} was built without checkpoints`, {
      hint: 'a handler with runc has them',
      cause,
    });
  }

  async delete(id: string, options: { force?: boolean } = {}): Promise<void> {
    // A runc that is killed while it restores leaves the root bound to that place; it deletes what it finds there.
    umount(join(this.#root, id, 'criu-root'));
    try {
      await this.#verb('delete', options.force === true ? ['--force', id] : [id], id);
    } catch (error) {
      if (
        error instanceof Fault &&
        /does not exist|No such file or directory|cannot open/.test(error.message)
      )
        return;
      throw error;
    }
  }

  exec(id: string, { process, log, detached, cgroup }: ExecFiles): { path: string; argv: string[] } {
    const verb = ['exec', '--process', process];
    if (cgroup !== undefined) verb.push('--cgroup', cgroup);
    if (detached !== undefined) verb.push('--detach', '--pid-file', detached.pid);
    if (detached?.console !== undefined) verb.push('--console-socket', detached.console);
    return { path: this.path, argv: [this.path, ...this.globalArgs, ...logFlags(log), ...verb, id] };
  }

  async #verb(
    verb: string,
    args: string[],
    id: string,
    signal?: AbortSignal,
    { timeoutMs = VERB_TIMEOUT_MS, env }: { timeoutMs?: number; env?: string[] } = {},
  ): Promise<void> {
    const log = join(this.#root, 'logs', `${id}.${this.#verbs++}`);
    try {
      const work = () =>
        run(this.#exits, {
          path: this.program(),
          argv: [this.path, ...this.globalArgs, ...logFlags(log), verb, ...args],
          // Not the node's /dev/null: the runtime may give it to the container's user.
          stdin: new Uint8Array(),
          ...(timeoutMs > 0 && { timeoutMs }),
          ...(env && { env }),
          signal,
          drainMs: 0,
        });
      // What may take minutes holds up nobody else.
      const result = await (timeoutMs > 0 ? this.#limit.run(work, signal) : work());
      if (result.code === 0) return;
      signal?.throwIfAborted();
      const words = lastRuntimeError(readLog(log)) ?? result.stderr.toString().trim();
      throw new Fault(
        'internal',
        `${this.name} ${verb} failed with code ${result.code}: ${words || 'it gave no reason'}`,
      );
    } finally {
      rmSync(log, { force: true });
    }
  }
}

/**
 * Starts a container of crun (its `libcrun_status_write_exec_fifo`): the fifo goes first, so that nobody starts it
 * twice, then one byte is written. False when nobody waits at it: crun itself can then say why.
 */
function writeStart(fifo: string): boolean {
  let fd: number;
  try {
    fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENXIO')) return false;
    throw error;
  }
  try {
    unlinkSync(fifo);
    writeSync(fd, '0');
    return true;
  } finally {
    closeSync(fd);
  }
}

function logFlags(log: string): string[] {
  return [`--log=${log}`, '--log-format=json'];
}

/** The log's text; empty when the runtime wrote none. */
export function readLog(log: string): string {
  try {
    return readFileSync(log, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}
