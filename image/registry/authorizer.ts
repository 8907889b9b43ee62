import { Fault } from '../../ground/fault.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { basicHeader, type Credentials } from './credentials.ts';
import { placeOf, wholeBody, type Answer, type TransferLimits, type Transport } from './transport.ts';

const MAX_TOKEN_ANSWER = 1024 * 1024;

/**
 * Gets and keeps the `Authorization` header for one repository at one host (distribution specification, token
 * authentication). Requests go out with what is known; a 401 brings the challenge that says what is wanted.
 */
export class Authorizer {
  readonly #transport: Transport;
  readonly #limits: TransferLimits;
  readonly #credentials: Credentials;
  readonly #scope: string;
  readonly #secure: boolean;
  #header: string | undefined;
  #running: Promise<string> | undefined;

  constructor(options: {
    transport: Transport;
    limits: TransferLimits;
    credentials: Credentials;
    repository: string;
    base: URL;
  }) {
    this.#transport = options.transport;
    this.#limits = options.limits;
    this.#credentials = options.credentials;
    this.#scope = `repository:${options.repository}:pull`;
    this.#secure = options.base.protocol === 'https:';
    if (options.credentials.kind === 'bearer') this.#header = `Bearer ${options.credentials.token}`;
  }

  /** The header to send now, if any is known. */
  get header(): string | undefined {
    return this.#header;
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
    if (this.#header !== used) return true;
    if (this.#credentials.kind === 'bearer') return false;
    const challenges = parseChallenges(challenge);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const basic = challenges.find(({ scheme }) => scheme === 'basic');
    if (bearer !== undefined) {
      this.#running ??= this.#token(bearer, signal).finally(() => (this.#running = undefined));
      this.#header = await this.#running;
      return true;
    }
    if (basic === undefined || this.#credentials.kind !== 'basic') return false;
    const header = basicHeader(this.#credentials.username, this.#credentials.password);
    if (header === used) return false;
    this.#header = header;
    return true;
  }

  async #token({ parameters }: Challenge, signal: AbortSignal | undefined): Promise<string> {
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
    const body = await wholeBody(answer.body, realm, MAX_TOKEN_ANSWER, this.#limits);
    if (answer.status === 401 || answer.status === 403 || answer.status === 400) {
      throw new Fault('permission', `The token server ${placeOf(realm)} refuses (${answer.status})`);
    }
    if (answer.status !== 200) {
      throw new Fault(
        'unavailable',
        `RegistryUnavailable: the token server ${placeOf(realm)} answers ${answer.status}`,
      );
    }
    const token = tokenIn(body);
    if (token !== undefined) return `Bearer ${token}`;
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

function tokenIn(body: Buffer): string | undefined {
  try {
    const fields = JSON.parse(body.toString('utf8')) as Record<string, unknown> | null;
    const token = fields?.['token'] ?? fields?.['access_token'];
    return typeof token === 'string' && token !== '' ? token : undefined;
  } catch {
    // The parser's message would quote the answer, and with it perhaps a token.
    return undefined;
  }
}
