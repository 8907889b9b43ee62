import type { RequestOptions } from 'node:https';
import { Fault } from '../ground/fault.ts';
import type { LoginSource } from './login.ts';

/**
 * The login of a kubeconfig by `@kubernetes/client-node`: login programs (`exec`), providers (OIDC, Azure, Google) and
 * proxies. Login programs run synchronously, in whatever thread this is. Only the login is the library's: its requests
 * cannot be aborted before the server has answered, and its watch keeps Retry-After and the answer's text to itself.
 */
export function libraryLogin(file: string): LoginSource {
  return async () => {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    const options: RequestOptions = {};
    try {
      config.loadFromFile(file);
      await config.applyToHTTPSOptions(options);
    } catch (cause) {
      throw new Fault('precondition', `The kubeconfig ${file} gives no login`, { cause });
    }
    const { ca, cert, key, servername, rejectUnauthorized, headers, auth, agent } = options;
    const { server, proxyUrl } = config.getCurrentCluster()!;
    return {
      server,
      tls: definedOf({ ca, cert, key, servername, rejectUnauthorized }),
      headers: {
        ...(typeof auth !== 'string'
          ? undefined
          : { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }),
        ...(headers as Record<string, string>),
      },
      // Without a proxy its agent would keep connections.
      ...(proxyUrl === undefined || typeof agent !== 'object' ? {} : { agent }),
    };
  };
}

function definedOf<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
