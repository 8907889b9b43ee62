import { readFile } from 'node:fs/promises';
import type http from 'node:http';
import type https from 'node:https';
import { createSecureContext, getCACertificates } from 'node:tls';
import { Fault } from '../../ground/fault.ts';
import type { RegistryHost } from './hosts.ts';
import { proxyFor } from './proxy.ts';

// An import statement takes every export of node:http, also WebSocket, and with it all of undici: 40 ms and 16 MB.
// TLS is loaded for the first registry that speaks it: 8 MB.
const plain = process.getBuiltinModule('node:http');
const tls = (): typeof https => process.getBuiltinModule('node:https');

const CONNECTIONS = 32;

/** What sends a request over the right connection. */
export interface Way {
  request: typeof http.request;
  agent: http.Agent;
}

/**
 * The connections of one registry host: kept alive, through the proxy that the environment names, with the host's
 * own CA, client certificate and skip_verify. Those are for its origin alone, not for where it redirects.
 */
export class Agents {
  readonly #host: RegistryHost;
  readonly #byKind = new Map<string, Promise<http.Agent>>();
  #closed = false;

  constructor(host: RegistryHost) {
    this.#host = host;
  }

  /** Throws Fault('precondition') when a certificate that the configuration names cannot be read. */
  async way(url: URL): Promise<Way> {
    const secure = url.protocol === 'https:';
    const own = url.origin === this.#host.base.origin;
    const proxy = proxyFor(url);
    const key = `${url.protocol} ${own} ${proxy ?? ''}`;
    let agent = this.#byKind.get(key);
    if (agent === undefined) {
      agent = this.#agent(secure, own, proxy);
      this.#byKind.set(key, agent);
    }
    return { request: (secure ? tls() : plain).request, agent: await agent };
  }

  close(): void {
    this.#closed = true;
    for (const agent of this.#byKind.values()) agent.then((one) => one.destroy()).catch(() => {}); // never opened
  }

  async #agent(secure: boolean, own: boolean, proxy: string | undefined): Promise<http.Agent> {
    const proxyEnv = proxy === undefined ? undefined : { HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
    const usual = { keepAlive: true, maxSockets: CONNECTIONS, ...(proxyEnv && { proxyEnv }) };
    if (!secure) return new plain.Agent(usual);
    const agent = new (tls().Agent)({ ...usual, ...(own && (await this.#tlsOptions())) });
    if (this.#closed) agent.destroy();
    return agent;
  }

  async #tlsOptions(): Promise<https.AgentOptions> {
    const { base, ca, client, skipVerify } = this.#host;
    const pem = async (path: string): Promise<string> => {
      try {
        return await readFile(path, 'utf8');
      } catch (cause) {
        const what = `The certificate file ${path} of the registry host ${base.host} cannot be read`;
        throw new Fault('precondition', what, { cause, hint: 'correct the path in hosts.toml' });
      }
    };
    const own = await Promise.all(ca.map(pem));
    const [cert, key] = await Promise.all([
      Promise.all(client.map((one) => pem(one.cert))),
      Promise.all(client.map((one) => pem(one.key))),
    ]);
    if (own.length + cert.length === 0) return { rejectUnauthorized: !skipVerify };
    try {
      // One for all connections: to read the usual authorities takes some 6 ms.
      const secureContext = createSecureContext({
        ...(own.length > 0 && { ca: [...usualAuthorities(), ...own] }),
        ...(cert.length > 0 && { cert, key }),
      });
      return { rejectUnauthorized: !skipVerify, secureContext };
    } catch (cause) {
      const files = [...ca, ...client.flatMap((one) => [one.cert, one.key])].join(', ');
      throw new Fault('precondition', `The certificates of the registry host ${base.host} cannot be used`, {
        cause,
        hint: `correct ${files}, or the paths in hosts.toml`,
      });
    }
  }
}

/** In PEM: what is trusted without a word of the configuration, as with the peers. */
function usualAuthorities(): string[] {
  const known = getCACertificates('default');
  // Then OpenSSL reads them by itself, and Node does not name them.
  return process.execArgv.includes('--use-openssl-ca')
    ? [...new Set([...known, ...getCACertificates('system')])]
    : known;
}
