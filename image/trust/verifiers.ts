import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import { run, type RunResult } from '../../native/run.ts';
import { DEFAULT_PATH } from '../../native/spawn.ts';
import { killMarked } from './marked-processes.ts';

/** More programs than this are a mistake, and none of them is called. */
const MAX_VERIFIERS = 10;
/** What is kept of each stream of a program. */
const MAX_OUTPUT = 16 * 1024;
const MAX_REASON = 500;
const CALL = 'BERTH_VERIFIER_CALL';
const STORE = 'BERTH_VERIFIER_STORE';
const DESCRIPTOR_TYPE = 'application/vnd.oci.descriptor.v1+json';
/** A program that asks a registry needs the node's proxies. */
const INHERITED = ['PATH', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

/** What is to be verified: a reference, and the manifest or index that it led to. */
export interface Candidate {
  /** Full name. */
  name: string;
  digest: string;
  mediaType: string;
  size: number;
}

/** Decides which images may be used on this node. */
export interface Verifier {
  /**
   * Returns when the image may be used. Throws Fault('permission') with the word SignatureValidationFailed, which
   * the kubelet looks for, when it may not, or when nobody can say; the signal's reason when it aborts.
   */
  check(image: Candidate, signal: AbortSignal): Promise<void>;
}

/** No policy: every image may be used. */
export const TRUST_ALL: Verifier = { async check() {} };

/**
 * The programs of a directory, as containerd calls them (its docs/image-verification.md): each gets `-name`,
 * `-digest` and `-stdin-media-type`, the OCI descriptor as JSON on its standard input, and says yes by exit status
 * 0, and why on its standard output. All have to say yes. Whoever asks for verification gets it: a directory that
 * is missing or empty, a program that cannot be started, fails or takes too long refuse the image.
 */
export class VerifierPrograms implements Verifier {
  readonly #directory: string;
  readonly #store: string;
  readonly #timeoutMs: number;
  readonly #exits: ExitWatcher;
  readonly #log: Log;

  constructor(options: {
    directory: string;
    /** Path of the image store that asks. */ store: string;
    timeoutMs: number;
    exits: ExitWatcher;
    log: Log;
  }) {
    this.#directory = options.directory;
    this.#store = options.store;
    this.#timeoutMs = options.timeoutMs;
    this.#exits = options.exits;
    this.#log = options.log;
  }

  /** Ends the programs that a daemon which died had called for this store. */
  async sweep(): Promise<void> {
    await killMarked(`${STORE}=${this.#store}`);
  }

  async check(image: Candidate, signal: AbortSignal): Promise<void> {
    const names = await this.#programs();
    const stop = new AbortController();
    const inner = AbortSignal.any([signal, stop.signal]);
    // The first refusal ends the others; all have ended before this does.
    const verdicts = await Promise.allSettled(
      names.map((name) =>
        this.#ask(name, image, inner).catch((error: unknown) => {
          stop.abort(error);
          throw error;
        }),
      ),
    );
    signal.throwIfAborted();
    stop.signal.throwIfAborted();
    this.#log.info({ image: image.name, digest: image.digest, verifiers: verdicts.length }, 'image verified');
  }

  async #programs(): Promise<string[]> {
    let names: string[];
    try {
      const entries = await readdir(this.#directory, { withFileTypes: true });
      names = entries
        .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
        .map(({ name }) => name);
    } catch (error) {
      throw refusal(`the verifier directory cannot be read: ${messageOf(error)}`);
    }
    if (names.length === 0) throw refusal(`the verifier directory ${this.#directory} is empty`);
    if (names.length <= MAX_VERIFIERS) return names.toSorted();
    throw refusal(`${this.#directory} holds ${names.length} verifiers, more than ${MAX_VERIFIERS}`);
  }

  async #ask(program: string, image: Candidate, signal: AbortSignal): Promise<void> {
    const { name, digest, mediaType, size } = image;
    const mark = `${CALL}=${randomUUID()}`;
    const env = INHERITED.flatMap((key) => (process.env[key] ? [`${key}=${process.env[key]}`] : []));
    let result: RunResult;
    try {
      result = await run(this.#exits, {
        path: join(this.#directory, program),
        argv: [program, '-name', name, '-digest', digest, '-stdin-media-type', DESCRIPTOR_TYPE],
        env: [`PATH=${DEFAULT_PATH}`, ...env, mark, `${STORE}=${this.#store}`],
        cwd: '/',
        stdin: Buffer.from(JSON.stringify({ mediaType, digest, size })),
        maxOutput: MAX_OUTPUT,
        timeoutMs: this.#timeoutMs,
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw refusal(`the verifier ${program} cannot be started: ${messageOf(error)}`);
    } finally {
      // What it left behind, also in sessions of its own.
      await killMarked(mark);
    }
    signal.throwIfAborted();
    const said = reasonIn(result.stdout);
    this.#log.debug(
      { verifier: program, code: result.code, said, stderr: reasonIn(result.stderr) },
      'verifier',
    );
    if (result.killed === 'timeout')
      throw refusal(`the verifier ${program} did not answer within ${this.#timeoutMs} ms`);
    if (result.code !== 0)
      throw refusal(`the verifier ${program} refuses ${name} (exit ${result.code})${said && `: ${said}`}`);
  }
}

/** The word is the kubelet's (cri-api, pkg/errors). */
function refusal(why: string): Fault {
  return new Fault('permission', `SignatureValidationFailed: ${why}`);
}

/** A program's words on one line, bounded, without control characters. */
function reasonIn(output: Buffer): string {
  return output
    .toString('utf8')
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON);
}
