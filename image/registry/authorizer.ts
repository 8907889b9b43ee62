import { Fault } from '../../ground/fault.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { basicHeader, fingerprint, type Credentials } from './credentials.ts';
import { retryAfter } from './retry.ts';
import type { TokenCache } from './token-cache.ts';
import { TransferError, discard, placeOf, wholeBody } from './transport.ts';
import type { Answer, TransferLimits, Transport } from './transport.ts';

const MAX_TOKEN_ANSWER = 1024 * 1024;

/**
 * Gets and keeps the `Authorization` header for one repository at one host (distribution specification, token
 * authentication). Requests go out with what is known; a 401 brings the challenge that says what is wanted. Tokens
 * outlive the pull in the cache, under a key that holds host, repository and credentials.
 */
export class Authorizer {
  readonly #transport: Transport;
  readonly #limits: TransferLimits;
  readonly #credentials: Credentials;
  readonly #tokens: TokenCache;
  readonly #key: string;
  readonly #scope: string;
  readonly #secure: boolean;
  /** Of the Basic scheme, or the token that the caller gave. */
  #fixed: string | undefined;
  #running: Promise<void> | undefined;

  constructor(options: {
    transport: Transport;
    limits: TransferLimits;
    credentials: Credentials;
    tokens: TokenCache;
    repository: string;
    base: URL;
  }) {
    const { credentials, repository, base } = options;
    this.#transport = options.transport;
    this.#limits = options.limits;
    this.#credentials = credentials;
    this.#tokens = options.tokens;
    this.#key = `${base.href} ${repository} ${fingerprint(credentials)}`;
    this.#scope = `repository:${repository}:pull`;
    this.#secure = base.protocol === 'https:';
    if (credentials.kind === 'bearer') this.#fixed = `Bearer ${credentials.token}`;
  }

  /** The header to send now, if any is known. */
  get header(): string | undefined {
    return this.#fixed ?? this.#tokens.get(this.#key);
  }

  /**
   * Answers a 401 to a request that was sent with `used`. True: try again. Concurrent requests share one token.
   * Throws Fault('permission') when the token server refuses, TransferError when it cannot be reached.
   */
  async answer(
    challenge: string,
    used: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { header } = this;
    if (header !== undefined && header !== used) return true;
    if (this.#credentials.kind === 'bearer') return false;
    const challenges = parseChallenges(challenge);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const basic = challenges.find(({ scheme }) => scheme === 'basic');
    if (bearer !== undefined) {
      this.#running ??= this.#renew(bearer, signal).finally(() => (this.#running = undefined));
      await this.#running;
      return true;
    }
    if (basic === undefined || this.#credentials.kind !== 'basic') return false;
    const wanted = basicHeader(this.#credentials.username, this.#credentials.password);
    if (wanted === used) return false;
    this.#fixed = wanted;
    return true;
  }

  async #renew(challenge: Challenge, signal: AbortSignal | undefined): Promise<void> {
    // What was refused serves nobody else.
    this.#tokens.delete(this.#key);
    const { token, lifeSeconds } = await this.#token(challenge, signal);
    this.#tokens.put(this.#key, `Bearer ${token}`, lifeSeconds);
  }

  async #token({ parameters }: Challenge, signal: AbortSignal | undefined): Promise<TokenAnswer> {
    const realm = URL.parse(parameters['realm'] ?? '');
    if (realm === null || !/^https?:$/.test(realm.protocol)) {
      throw new Fault(
        'unavailable',
        'RegistryUnavailable: the registry asks for a token and names no token server',
      );
    }
    if (this.#secure && realm.protocol !== 'https:') {
      throw new Fault('permission', 'The registry wants credentials sent over plain http');
    }
    const answer = await this.#askForToken(realm, parameters, signal);
    const { status } = answer;
    if (status === 429 || status >= 500) {
      discard(answer);
      const wait = retryAfter(answer.headers['retry-after'], Date.now());
      throw new TransferError(`the token server ${placeOf(realm)} answers ${status}`, { wait });
    }
    const body = await wholeBody(answer.body, realm, MAX_TOKEN_ANSWER, this.#limits);
    if (status === 401 || status === 403 || status === 400) {
      throw new Fault('permission', `The token server ${placeOf(realm)} refuses (${status})`, {
        hint: 'check the pull secret, and that the image exists',
      });
    }
    if (status !== 200) {
      throw new Fault(
        'unavailable',
        `RegistryUnavailable: the token server ${placeOf(realm)} answers ${status}`,
      );
    }
    const token = tokenIn(body);
    if (token !== undefined) return token;
    throw new Fault('unavailable', `RegistryUnavailable: the token server ${placeOf(realm)} gives no token`);
  }

  #askForToken(
    realm: URL,
    parameters: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const service = parameters['service'] ?? '';
    const scope = parameters['scope'] ?? this.#scope;
    if (this.#credentials.kind === 'identity') {
      const form = {
        grant_type: 'refresh_token',
        client_id: 'berth',
        refresh_token: this.#credentials.token,
      };
      const body = new URLSearchParams({ ...form, service, scope }).toString();
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      return this.#transport.ask(realm, { method: 'POST', headers, body, signal });
    }
    const url = new URL(realm);
    if (service !== '') url.searchParams.set('service', service);
    url.searchParams.set('scope', scope);
    const headers: Record<string, string> = {};
    if (this.#credentials.kind === 'basic') {
      headers['authorization'] = basicHeader(this.#credentials.username, this.#credentials.password);
    }
    return this.#transport.ask(url, { headers, signal });
  }
}

interface TokenAnswer {
  token: string;
  /** Absent when the server does not say. */
  lifeSeconds: number | undefined;
}

function tokenIn(body: Buffer): TokenAnswer | undefined {
  try {
    const fields = JSON.parse(body.toString('utf8')) as Record<string, unknown> | null;
    const token = fields?.['token'] ?? fields?.['access_token'];
    const life = fields?.['expires_in'];
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) return undefined;
    return { token, lifeSeconds: typeof life === 'number' && life > 0 ? life : undefined };
  } catch {
    // The parser's message would quote the answer, and with it perhaps a token.
    return undefined;
  }
}
