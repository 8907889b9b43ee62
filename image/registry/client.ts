import { Fault } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import type { Log } from '../../ground/log.ts';
import { DigestCheck, digestOf, verifyDigest } from '../digest.ts';
import type { PullAuth } from '../images.ts';
import type { Descriptor } from '../descriptor.ts';
import { MANIFEST_TYPES, MAX_MANIFEST } from '../manifest.ts';
import { repositoryName, type Reference } from '../reference.ts';
import { Authorizer } from './authorizer.ts';
import { credentialsFrom, mayReceive } from './credentials.ts';
import type { Capability, RegistryHost } from './hosts.ts';
import { TransferError, Transport, bodyChunks, placeOf, wholeBody } from './transport.ts';
import type { Answer, TransferLimits } from './transport.ts';

/** A manifest or index as a registry gave it, verified against `digest`. */
export interface FetchedManifest {
  bytes: Buffer;
  mediaType: string;
  digest: string;
}

interface Endpoint {
  host: RegistryHost;
  transport: Transport;
  authorizer: Authorizer;
}

/** This much progress clears the count of broken transfers. */
const PROGRESS = 1024 * 1024;

/**
 * Reads one repository through its hosts (distribution specification, "Pull"). One client serves one pull.
 *
 * Faults: `not-found` (404), `permission` (401, 403), `unavailable` with the word RegistryUnavailable, which the
 * kubelet looks for, and `data-loss` for content that is not what its digest says.
 */
export class RegistryClient {
  readonly #endpoints: Endpoint[];
  readonly #repository: string;
  readonly #registry: string;
  readonly #name: string;
  readonly #limits: TransferLimits;
  readonly #log: Log;
  #transfers = 0;
  #closed = false;

  constructor(options: {
    reference: Reference;
    hosts: RegistryHost[];
    auth: PullAuth | undefined;
    limits: TransferLimits;
    log: Log;
  }) {
    const { reference, auth, limits } = options;
    this.#repository = reference.repository;
    this.#registry = reference.registry;
    this.#name = repositoryName(reference);
    this.#limits = limits;
    this.#log = options.log;
    this.#endpoints = options.hosts.map((host) => {
      const transport = new Transport(host, limits);
      const credentials = credentialsFrom(mayReceive(host, auth) ? auth : undefined);
      const { repository } = reference;
      const authorizer = new Authorizer({ transport, limits, credentials, repository, base: host.base });
      return { host, transport, authorizer };
    });
  }

  /** The manifest or index under a tag or digest, at most MAX_MANIFEST long. */
  manifest(tagOrDigest: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const byDigest = tagOrDigest.includes(':');
    const headers = { accept: MANIFEST_TYPES.join(', ') };
    return this.#firstOf(byDigest ? 'pull' : 'resolve', async (endpoint) => {
      const url = this.#url(endpoint.host, `manifests/${tagOrDigest}`);
      const answer = await this.#ask(endpoint, url, headers, signal);
      if (Number(answer.headers['content-length'] ?? 0) > MAX_MANIFEST) {
        answer.body.destroy();
        throw new Fault('invalid', `The manifest is larger than ${MAX_MANIFEST} bytes`);
      }
      const bytes = await wholeBody(answer.body, url, MAX_MANIFEST, this.#limits);
      if (byDigest) verifyDigest(bytes, tagOrDigest, 'the manifest');
      const mediaType = answer.headers['content-type']?.split(';')[0]?.trim() ?? '';
      return { bytes, mediaType, digest: byDigest ? tagOrDigest : digestOf(bytes) };
    });
  }

  /** A small blob whole and verified. Throws Fault('invalid') when the descriptor says that it is larger than `max`. */
  async smallBlob(descriptor: Descriptor, max: number, what: string, signal?: AbortSignal): Promise<Buffer> {
    if (descriptor.size > max) {
      throw new Fault(
        'invalid',
        `${what} has ${descriptor.size} bytes, more than the ${max} that are served`,
      );
    }
    const check = new DigestCheck(descriptor.digest);
    const parts: Buffer[] = [];
    for await (const chunk of this.blob(descriptor, signal)) {
      check.update(chunk);
      parts.push(chunk);
    }
    check.verify(what);
    return Buffer.concat(parts);
  }

  /**
   * The bytes of a blob, exactly as many as the descriptor says, not yet verified. A broken transfer goes on where
   * it broke (RFC 9110, 14: range requests), a bounded number of times.
   */
  async *blob(descriptor: Descriptor, signal?: AbortSignal): AsyncGenerator<Buffer> {
    this.#transfers++;
    try {
      yield* this.#resumed(descriptor, signal);
    } finally {
      this.#transfers--;
      this.#closeIfUnused();
    }
  }

  /** Ends the connections, once the transfers that other pulls have joined are over. */
  close(): void {
    this.#closed = true;
    this.#closeIfUnused();
  }

  #closeIfUnused(): void {
    if (!this.#closed || this.#transfers > 0) return;
    for (const { transport } of this.#endpoints) transport.close();
  }

  async *#resumed(descriptor: Descriptor, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    let offset = 0;
    let broken = 0;
    let sure = 0;
    while (offset < descriptor.size) {
      try {
        for await (const chunk of this.#blobFrom(descriptor, offset, signal)) {
          offset += chunk.length;
          if (offset > descriptor.size) {
            throw new Fault(
              'data-loss',
              `The blob ${descriptor.digest} is longer than ${descriptor.size} bytes`,
            );
          }
          yield chunk;
        }
        if (offset < descriptor.size) throw new TransferError(`the answer ended after ${offset} bytes`);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TransferError)) throw error;
        if (offset - sure >= PROGRESS) broken = 0;
        sure = offset;
        if (++broken >= this.#limits.tries) throw this.#unavailable(error);
        this.#log.debug(
          { blob: descriptor.digest, offset, reason: error.message },
          'transfer broke, going on',
        );
        await sleep(this.#backoff(broken), signal);
      }
    }
  }

  async *#blobFrom(
    descriptor: Descriptor,
    offset: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer> {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (offset > 0) headers['range'] = `bytes=${offset}-`;
    const { url, answer } = await this.#firstOf('pull', async (endpoint) => {
      const address = this.#url(endpoint.host, `blobs/${descriptor.digest}`);
      return { url: address, answer: await this.#ask(endpoint, address, headers, signal) };
    });
    // A host that does not know ranges sends all of it again.
    const start = rangeStart(answer);
    let skip = start === offset ? 0 : offset;
    const announced = answer.headers['content-length'];
    if (announced !== undefined && start + Number(announced) !== descriptor.size) {
      answer.body.destroy();
      const size = start + Number(announced);
      throw new Fault(
        'data-loss',
        `The blob ${descriptor.digest} has ${size} bytes, expected ${descriptor.size}`,
      );
    }
    for await (const chunk of bodyChunks(answer.body, url, this.#limits)) {
      signal?.throwIfAborted();
      if (skip >= chunk.length) skip -= chunk.length;
      else {
        yield skip === 0 ? chunk : chunk.subarray(skip);
        skip = 0;
      }
    }
  }

  /** The first host with the capability that answers; the last one's error when none does. */
  async #firstOf<T>(capability: Capability, work: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    const able = this.#endpoints.filter(({ host }) => host.capabilities.has(capability));
    let failure: unknown = new Fault(
      'precondition',
      `No host is configured to ${capability} from ${this.#registry}`,
    );
    for (const endpoint of able) {
      try {
        return await work(endpoint);
      } catch (error) {
        if (error instanceof Error && error.name === 'AbortError') throw error;
        failure = error instanceof TransferError ? this.#unavailable(error) : error;
        this.#log.debug({ host: endpoint.host.base.host, reason: String(failure) }, 'registry host failed');
      }
    }
    throw failure;
  }

  /** One request with authentication, and with another try when the host is busy or broken. */
  async #ask(
    { transport, authorizer }: Endpoint,
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    let failure: TransferError | undefined;
    for (let tried = 1; ; tried++) {
      let wait = this.#backoff(tried);
      try {
        const answer = await this.#askAuthorized(transport, authorizer, url, headers, signal);
        if (answer.status === 200 || answer.status === 206) return answer;
        answer.body.destroy();
        if (answer.status !== 429 && answer.status < 500) throw this.#refused(answer.status, url);
        wait = retryAfter(answer.headers['retry-after'], Date.now()) ?? wait;
        failure = new TransferError(`${placeOf(url)} answers ${answer.status}`);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TransferError)) throw error;
        failure = error;
      }
      if (tried >= this.#limits.tries) throw this.#unavailable(failure);
      await sleep(Math.min(wait, this.#limits.maxBackoff), signal);
    }
  }

  async #askAuthorized(
    transport: Transport,
    authorizer: Authorizer,
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    // Twice: a token from the cache may have expired, a fresh one may still be refused.
    for (let round = 0; ; round++) {
      const used = authorizer.header;
      const authorized = used === undefined ? headers : { ...headers, authorization: used };
      const answer = await transport.ask(url, { headers: authorized, signal });
      if (answer.status !== 401 || round === 2) return answer;
      answer.body.resume();
      const challenge = answer.headers['www-authenticate'] ?? '';
      if (!(await authorizer.answer(challenge, used, signal))) return answer;
    }
  }

  #url(host: RegistryHost, path: string): URL {
    const url = new URL(host.base);
    url.pathname = `${url.pathname}/${this.#repository}/${path}`;
    // A mirror serves several registries and asks which one is meant.
    if (!host.origin) url.searchParams.set('ns', this.#registry);
    return url;
  }

  #backoff(tried: number): number {
    const full = Math.min(this.#limits.backoff * 2 ** (tried - 1), this.#limits.maxBackoff);
    return full * (0.75 + Math.random() / 2);
  }

  #unavailable(cause: TransferError): Fault {
    return new Fault('unavailable', `RegistryUnavailable: the registry ${this.#registry} cannot be used`, {
      cause,
    });
  }

  #refused(status: number, url: URL): Fault {
    if (status === 404) return new Fault('not-found', `The registry does not have ${placeOf(url)}`);
    if (status === 401 || status === 403) {
      return new Fault('permission', `The registry refuses access to ${this.#name} (${status})`, {
        hint: 'check the pull secret, and that the image exists',
      });
    }
    return new Fault('unavailable', `RegistryUnavailable: ${placeOf(url)} answers ${status}`);
  }
}

/** Milliseconds of a Retry-After header (seconds or a date, RFC 9110, 10.2.3). */
export function retryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function rangeStart({ status, headers }: Answer): number {
  if (status !== 206) return 0;
  return Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? -1);
}
