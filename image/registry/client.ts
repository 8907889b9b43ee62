import { Fault } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import { sleep } from '../../ground/wait.ts';
import type { Descriptor } from '../descriptor.ts';
import { DigestCheck, digestOf, verifyDigest } from '../digest.ts';
import type { PullAuth } from '../images.ts';
import { MANIFEST_TYPES, MAX_MANIFEST } from '../manifest.ts';
import type { Reference } from '../reference.ts';
import type { NodeCredentials } from './auth-files.ts';
import { credentialsFor } from './credentials.ts';
import { Endpoint } from './endpoint.ts';
import type { RegistryHost } from './hosts.ts';
import { HostOrder } from './host-order.ts';
import { backoff, unavailable } from './retry.ts';
import type { TokenCache } from './token-cache.ts';
import { TransferError, bodyChunks, discard, wholeBody } from './transport.ts';
import type { Answer, TransferLimits } from './transport.ts';

/** A manifest or index as a registry gave it, verified against `digest`. */
export interface FetchedManifest {
  bytes: Buffer;
  mediaType: string;
  digest: string;
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
  readonly #hosts: HostOrder;
  readonly #registry: string;
  readonly #limits: TransferLimits;
  readonly #log: Log;
  #transfers = 0;
  #closed = false;

  constructor(options: {
    reference: Reference;
    hosts: RegistryHost[];
    /** What the caller gave; without it, or for hosts that it is not for, the node's own serve. */
    auth: PullAuth | undefined;
    node: NodeCredentials;
    tokens: TokenCache;
    limits: TransferLimits;
    log: Log;
  }) {
    const { reference, auth, node, tokens, limits, log } = options;
    this.#registry = reference.registry;
    this.#limits = limits;
    this.#log = log;
    const { registry, repository } = reference;
    const endpoints = options.hosts.map((host) => {
      const credentials = credentialsFor(host, reference, auth, node);
      return new Endpoint({ host, registry, repository, credentials, tokens, limits });
    });
    this.#hosts = new HostOrder(registry, endpoints, limits, log);
  }

  /** The manifest or index under a tag or digest, at most MAX_MANIFEST long. */
  manifest(tagOrDigest: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const byDigest = tagOrDigest.includes(':');
    const headers = { accept: MANIFEST_TYPES.join(', ') };
    const capability = byDigest ? 'pull' : 'resolve';
    return this.#hosts.first(capability, tagOrDigest, async (endpoint, tries) => {
      const url = endpoint.url(`manifests/${tagOrDigest}`);
      const answer = await endpoint.ask(url, headers, { tries, signal });
      if (Number(answer.headers['content-length'] ?? 0) > MAX_MANIFEST) {
        discard(answer);
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
    for (;;) {
      const check = new DigestCheck(descriptor.digest);
      const parts: Buffer[] = [];
      for await (const chunk of this.blob(descriptor, signal)) {
        check.update(chunk);
        parts.push(chunk);
      }
      try {
        check.verify(what);
        return Buffer.concat(parts);
      } catch (error) {
        if (!this.distrust(descriptor.digest)) throw error;
      }
    }
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

  /**
   * The content of `digest` turned out to be wrong: the hosts that gave it are not asked for it again. False when
   * no other host is left to ask.
   */
  distrust(digest: string): boolean {
    return this.#hosts.distrust(digest);
  }

  /** Ends the connections, once the transfers that other pulls have joined are over. */
  close(): void {
    this.#closed = true;
    this.#closeIfUnused();
  }

  #closeIfUnused(): void {
    if (this.#closed && this.#transfers === 0) this.#hosts.close();
  }

  async *#resumed(descriptor: Descriptor, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    const { digest, size } = descriptor;
    let offset = 0;
    let broken = 0;
    let sure = 0;
    while (offset < size) {
      try {
        for await (const chunk of this.#blobFrom(descriptor, offset, signal)) {
          offset += chunk.length;
          if (offset > size) throw new Fault('data-loss', `The blob ${digest} is longer than ${size} bytes`);
          yield chunk;
        }
        if (offset < size) throw new TransferError(`the answer ended after ${offset} bytes`);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TransferError)) throw error;
        if (offset - sure >= PROGRESS) broken = 0;
        sure = offset;
        if (++broken >= this.#limits.tries) throw unavailable(this.#registry, error);
        this.#log.debug({ blob: digest, offset, reason: error.message }, 'transfer broke, going on');
        await sleep(backoff(broken, this.#limits), signal);
      }
    }
  }

  async *#blobFrom(
    { digest, size }: Descriptor,
    offset: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer> {
    const { endpoint, url, answer, start } = await this.#hosts.first('pull', digest, async (host, tries) => {
      const address = host.url(`blobs/${digest}`);
      const found = await this.#askFrom(host, address, offset, tries, signal);
      const from = rangeStart(found);
      const announced = from + Number(found.headers['content-length'] ?? size - from);
      if (announced === size) return { endpoint: host, url: address, answer: found, start: from };
      found.body.destroy();
      throw new Fault('data-loss', `The blob ${digest} has ${announced} bytes, expected ${size}`);
    });
    this.#hosts.served(digest, endpoint);
    // A host that does not know ranges sends more than was asked for.
    let skip = offset - start;
    try {
      for await (const chunk of bodyChunks(answer.body, url, this.#limits)) {
        signal?.throwIfAborted();
        if (skip >= chunk.length) skip -= chunk.length;
        else {
          yield skip === 0 ? chunk : chunk.subarray(skip);
          skip = 0;
        }
      }
    } catch (error) {
      if (error instanceof TransferError) this.#hosts.demote(endpoint);
      throw error;
    }
  }

  /** Asks for the bytes from `offset` on, and for all of them where ranges are refused or misunderstood. */
  async #askFrom(
    endpoint: Endpoint,
    url: URL,
    offset: number,
    tries: number,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const headers = { 'accept-encoding': 'identity' };
    if (offset > 0) {
      const range = { ...headers, range: `bytes=${offset}-` };
      const answer = await endpoint.ask(url, range, { tries, signal });
      if (answer.status !== 416 && rangeStart(answer) <= offset) return answer;
      discard(answer);
    }
    return endpoint.ask(url, headers, { tries, signal });
  }
}

/** The first byte of an answer. One that says it is a part and not which part is of no use: Infinity. */
function rangeStart({ status, headers }: Answer): number {
  if (status !== 206) return 0;
  return Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? Infinity);
}
