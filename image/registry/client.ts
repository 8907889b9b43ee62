import { Fault } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import type { Log } from '../../ground/log.ts';
import { DigestCheck, digestOf, verifyDigest } from '../digest.ts';
import type { PullAuth } from '../images.ts';
import type { Descriptor } from '../descriptor.ts';
import { MANIFEST_TYPES, MAX_MANIFEST } from '../manifest.ts';
import type { Reference } from '../reference.ts';
import { credentialsFrom, mayReceive } from './credentials.ts';
import { Endpoint, backoff, unavailable } from './endpoint.ts';
import type { Capability, RegistryHost } from './hosts.ts';
import { TransferError, bodyChunks, wholeBody } from './transport.ts';
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
  readonly #endpoints: Endpoint[];
  readonly #registry: string;
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
    this.#registry = reference.registry;
    this.#limits = limits;
    this.#log = options.log;
    const { registry, repository } = reference;
    this.#endpoints = options.hosts.map((host) => {
      const credentials = credentialsFrom(mayReceive(host, auth) ? auth : undefined);
      return new Endpoint({ host, registry, repository, credentials, limits });
    });
  }

  /** The manifest or index under a tag or digest, at most MAX_MANIFEST long. */
  manifest(tagOrDigest: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const byDigest = tagOrDigest.includes(':');
    const headers = { accept: MANIFEST_TYPES.join(', ') };
    return this.#firstOf(byDigest ? 'pull' : 'resolve', async (endpoint) => {
      const url = endpoint.url(`manifests/${tagOrDigest}`);
      const answer = await endpoint.ask(url, headers, signal);
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
    for (const endpoint of this.#endpoints) endpoint.close();
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
        if (++broken >= this.#limits.tries) throw unavailable(this.#registry, error);
        this.#log.debug(
          { blob: descriptor.digest, offset, reason: error.message },
          'transfer broke, going on',
        );
        await sleep(backoff(broken, this.#limits), signal);
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
      const address = endpoint.url(`blobs/${descriptor.digest}`);
      return { url: address, answer: await endpoint.ask(address, headers, signal) };
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
        failure = error instanceof TransferError ? unavailable(this.#registry, error) : error;
        this.#log.debug({ host: endpoint.host.base.host, reason: String(failure) }, 'registry host failed');
      }
    }
    throw failure;
  }
}

function rangeStart({ status, headers }: Answer): number {
  if (status !== 206) return 0;
  return Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? -1);
}
