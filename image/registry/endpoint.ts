import { Fault } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import { Authorizer } from './authorizer.ts';
import type { Credentials } from './credentials.ts';
import type { RegistryHost } from './hosts.ts';
import { backoff, retryAfter } from './retry.ts';
import type { TokenCache } from './token-cache.ts';
import { TransferError, Transport, discard, placeOf } from './transport.ts';
import type { Answer, TransferLimits } from './transport.ts';

/** One host of a repository: asks with authentication, and again when the host is busy or broken. */
export class Endpoint {
  readonly host: RegistryHost;
  readonly #registry: string;
  readonly #repository: string;
  readonly #limits: TransferLimits;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;

  constructor(options: {
    host: RegistryHost;
    /** The registry's name in references, which a mirror's host is not. */
    registry: string;
    repository: string;
    credentials: Credentials;
    tokens: TokenCache;
    limits: TransferLimits;
  }) {
    const { host, registry, repository, credentials, tokens, limits } = options;
    this.host = host;
    this.#registry = registry;
    this.#repository = repository;
    this.#limits = limits;
    const transport = new Transport(host, limits);
    this.#transport = transport;
    const { base } = host;
    this.#authorizer = new Authorizer({ transport, limits, credentials, tokens, repository, base });
  }

  /** The address of a manifest or blob: `path` is `manifests/<tag or digest>` or `blobs/<digest>`. */
  url(path: string): URL {
    const url = new URL(this.host.base);
    url.pathname = `${url.pathname}/${this.#repository}/${path}`;
    // A mirror serves several registries and asks which one is meant.
    if (!this.host.origin) url.searchParams.set('ns', this.#registry);
    return url;
  }

  /**
   * The answer to a GET when it is 200 or 206, and 416 to one with a range. What can pass is tried `tries` times.
   * Throws the Faults that RegistryClient promises, TransferError when the host is broken or busy.
   */
  async ask(
    url: URL,
    headers: Record<string, string>,
    { tries, signal }: { tries: number; signal: AbortSignal | undefined },
  ): Promise<Answer> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.#askOnce(url, headers, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TransferError) || !error.again || tried >= tries) throw error;
        const wait = error.wait ?? backoff(tried, this.#limits);
        await sleep(Math.min(wait, this.#limits.maxBackoff), signal);
      }
    }
  }

  async #askOnce(
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const answer = await this.#askAuthorized(url, headers, signal);
    const { status } = answer;
    if (status === 200 || status === 206 || (status === 416 && 'range' in headers)) return answer;
    discard(answer);
    if (status !== 429 && status < 500) throw this.#refused(status, url);
    const wait = retryAfter(answer.headers['retry-after'], Date.now());
    throw new TransferError(`${placeOf(url)} answers ${status}`, { wait });
  }

  async #askAuthorized(
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    // Twice: a token from the cache may have expired, a fresh one may still be refused.
    for (let round = 0; ; round++) {
      const used = this.#authorizer.header;
      const authorized = used === undefined ? headers : { ...headers, authorization: used };
      const answer = await this.#transport.ask(url, { headers: authorized, signal });
      if (answer.status !== 401 || round === 2) return answer;
      discard(answer);
      const challenge = answer.headers['www-authenticate'] ?? '';
      if (!(await this.#authorizer.answer(challenge, used, signal))) return answer;
    }
  }

  close(): void {
    this.#transport.close();
  }

  #refused(status: number, url: URL): Fault {
    if (status === 404) return new Fault('not-found', `The registry does not have ${placeOf(url)}`);
    if (status === 401 || status === 403) {
      return new Fault(
        'permission',
        `The registry refuses access to ${this.#registry}/${this.#repository} (${status})`,
        {
          hint: 'check the pull secret, and that the image exists',
        },
      );
    }
    return new Fault('unavailable', `RegistryUnavailable: ${placeOf(url)} answers ${status}`);
  }
}
