import { join } from 'node:path';
import { Fault, type FaultKind } from '../ground/fault.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { killProcess } from '../native/pidfd.ts';
import { descendants } from '../native/process-tree.ts';
import { run, type RunResult } from '../native/run.ts';
import { SIG } from '../native/signals.ts';
import { findExecutable } from '../native/spawn.ts';
import { isJsonObject, type JsonObject } from './config-list.ts';
import { CNI_ERROR, PluginError } from './plugin-error.ts';

export type Verb = 'ADD' | 'DEL' | 'CHECK' | 'VERSION' | 'STATUS' | 'GC';

/** One run of a plugin (CNI specification, section 2). */
export interface PluginCall {
  verb: Verb;
  type: string;
  /** What the plugin reads on stdin. */
  config: JsonObject;
  /** The CNI_* variables of this verb beside CNI_COMMAND and CNI_PATH. */
  env: Record<string, string>;
}

const PASSING_CODES: number[] = [
  CNI_ERROR.tryAgainLater,
  CNI_ERROR.unavailable,
  CNI_ERROR.unavailableLimited,
];
const DEFAULT_TIMEOUT_MS = 60_000;
/** VERSION and STATUS change nothing and wait for nobody. */
const PROBE_TIMEOUT_MS = 5000;
const MAX_OUTPUT = 1 << 20;

/** Who runs plugins: by exec, or in this process. */
export interface PluginCaller {
  /** What it printed, parsed; undefined for nothing. Throws Fault, with the PluginError as cause when it failed. */
  call(call: PluginCall, signal?: AbortSignal): Promise<unknown>;
  /** Whether a plugin of a list is a function of this process. Absent: none is. */
  inProcess?(plugin: JsonObject & { type: string }): boolean;
  /** Called when all plugins of a list have added a pod: does what they have put off. Absent: they put nothing off. */
  settle?(containerId: string, signal?: AbortSignal): Promise<void>;
}

/** Runs plugins by exec. A plugin that takes too long is killed with its process group and its descendants. */
export class PluginRunner implements PluginCaller {
  readonly #exits: ExitWatcher;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<RunResult>>();
  #binDirs: string[];
  readonly #timeoutMs: number;

  constructor(exits: ExitWatcher, binDirs: string[], timeoutMs = DEFAULT_TIMEOUT_MS) {
    this.#exits = exits;
    this.#binDirs = binDirs;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Kills the plugins that run, and starts none any more: one that outlived its caller would go on beside the DEL that
   * undoes it. What they were called for rejects.
   */
  async close(): Promise<void> {
    this.#closing.abort(new Fault('unavailable', 'The daemon stops'));
    await Promise.allSettled(this.#running);
  }

  /** Other directories from now on. */
  setDirectories(binDirs: string[]): void {
    this.#binDirs = binDirs;
  }

  /** Where the executable of a plugin stands, undefined when no directory has it. */
  find(type: string): string | undefined {
    for (const directory of this.#binDirs) {
      const path = findExecutable(join(directory, type));
      if (path !== undefined) return path;
    }
    return undefined;
  }

  /**
   * Runs a plugin and returns what it printed, parsed; undefined when it printed nothing. Throws Fault:
   * `unavailable` when the executable is missing or the plugin asks to try again later, `deadline` when it took too
   * long, `internal` when it failed (the cause is a PluginError) or printed no JSON.
   */
  async call(call: PluginCall, signal?: AbortSignal): Promise<unknown> {
    const subject = `CNI plugin ${call.type}`;
    const path = this.find(call.type);
    if (path === undefined)
      throw new Fault('unavailable', 'The executable is missing', {
        subject,
        hint: `install it in one of ${this.#binDirs.join(', ')}`,
      });
    const env = {
      ...process.env,
      ...call.env,
      CNI_COMMAND: call.verb,
      CNI_PATH: this.#binDirs.join(':'),
    };
    const isProbe = call.verb === 'VERSION' || call.verb === 'STATUS';
    const timeoutMs = isProbe ? Math.min(PROBE_TIMEOUT_MS, this.#timeoutMs) : this.#timeoutMs;
    this.#closing.signal.throwIfAborted();
    const running = run(this.#exits, {
      path,
      argv: [call.type],
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      stdin: Buffer.from(JSON.stringify(call.config)),
      maxOutput: MAX_OUTPUT,
      timeoutMs,
      signal: anyOf(signal, this.#closing.signal),
      // A child that left the plugin's process group belongs to it all the same.
      beforeKill: killDescendants,
    });
    this.#running.add(running);
    const result = await running.finally(() => this.#running.delete(running));
    if (result.killed === 'abort') anyOf(signal, this.#closing.signal).throwIfAborted();
    if (result.killed === 'timeout')
      throw new Fault('deadline', `${call.verb} took more than ${timeoutMs / 1000} s and was killed`, {
        subject,
      });
    if (result.code !== 0) throw failure(call, subject, result);
    const text = result.stdout.toString();
    if (text.trim() === '') return undefined;
    const parsed = parseJson(text);
    if (parsed === undefined || result.truncated)
      throw new Fault('internal', `${call.verb} printed what is no JSON: ${excerpt(text)}`, { subject });
    return parsed;
  }
}

function anyOf(caller: AbortSignal | undefined, closing: AbortSignal): AbortSignal {
  return caller === undefined ? closing : AbortSignal.any([caller, closing]);
}

function killDescendants(pid: number): void {
  for (const { pid: child, startTime } of descendants(pid)) killProcess(child, startTime, SIG.SIGKILL);
}

function failure(call: PluginCall, subject: string, result: RunResult): Fault {
  const said = parseJson(result.stdout.toString());
  if (!isJsonObject(said) || typeof said['msg'] !== 'string') {
    const what = `${call.verb} ended with code ${result.code} without an error object`;
    return new Fault('internal', what, {
      subject,
      cause: excerpt(result.stderr.toString() + result.stdout.toString()),
    });
  }
  const code = typeof said['code'] === 'number' ? said['code'] : 0;
  const details = typeof said['details'] === 'string' ? said['details'] : '';
  return faultOf(call.verb, new PluginError(call.type, code, said['msg'], details));
}

/** The Fault for what a plugin said: `unavailable` when it asks to try again later, else `internal`. */
export function faultOf(verb: Verb, error: PluginError): Fault {
  const kind: FaultKind = PASSING_CODES.includes(error.code) ? 'unavailable' : 'internal';
  return new Fault(kind, `${verb} failed`, { subject: `CNI plugin ${error.plugin}`, cause: error });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller says what it expected and shows the text.
    return undefined;
  }
}

function excerpt(text: string): string {
  const flat = text.trim().replaceAll(/\s+/g, ' ');
  return flat.length > 500 ? `${flat.slice(0, 500)}…` : flat;
}
