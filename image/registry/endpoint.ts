import { Fault } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import { Authorizer } from './authorizer.ts';
import type { Credentials } from './credentials.ts';
import type { RegistryHost } from './hosts.ts';
import { TransferError, Transport, placeOf, type Answer, type TransferLimits } from './transport.ts';

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
    limits: TransferLimits;
  }) {
    const { host, registry, repository, credentials, limits } = options;
    this.host = host;
    this.#registry = registry;
    this.#repository = repository;
    this.#limits = limits;
    const transport = new Transport(host, limits);
    this.#transport = transport;
    this.#authorizer = new Authorizer({ transport, limits, credentials, repository, base: host.base });
  }

  /** The address of a manifest or blob: `path` is `manifests/<tag or digest>` or `blobs/<digest>`. */
  url(path: string): URL {
    const url = new URL(this.host.base);
    url.pathname = `${url.pathname}/${this.#repository}/${path}`;
    // A mirror serves several registries and asks which one is meant.
    if (!this.host.origin) url.searchParams.set('ns', this.#registry);
    return url;
  }

  /** The answer to a GET when it is 200 or 206. Throws the Faults that RegistryClient promises. */
  async ask(url: URL, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<Answer> {
    let failure: TransferError | undefined;
    for (let tried = 1; ; tried++) {
      let wait = backoff(tried, this.#limits);
      try {
        const answer = await this.#askAuthorized(url, headers, signal);
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
      if (tried >= this.#limits.tries) throw unavailable(this.#registry, failure);
      await sleep(Math.min(wait, this.#limits.maxBackoff), signal);
    }
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
      answer.body.resume();
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

/** What a registry that cannot be used is called; the kubelet looks for its first word (cri-api, pkg/errors). */
export function unavailable(registry: string, cause: TransferError): Fault {
  return new Fault('unavailable', `RegistryUnavailable: the registry ${registry} cannot be used`, { cause });
}

/** Milliseconds to wait after try number `tried`: doubling, with a part of chance. */
export function backoff(tried: number, limits: TransferLimits): number {
  const full = Math.min(limits.backoff * 2 ** (tried - 1), limits.maxBackoff);
  return full * (0.75 + Math.random() / 2);
}

/** Milliseconds of a Retry-After header (seconds or a date, RFC 9110, 10.2.3). */
export function retryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
