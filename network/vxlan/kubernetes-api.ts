import { Fault } from '../../ground/fault.ts';

/** What an API server answered. */
export interface ApiAnswer {
  status: number;
  /** How long the server wants to be left alone, in milliseconds (Retry-After in seconds). */
  retryAfterMs: number | undefined;
  /** Has to be read to its end, or left by `break` or an error. */
  body: AsyncIterable<Uint8Array>;
}

/** A GET to the API server. Rejects when there is no answer, and with the signal's reason. */
export type ApiGet = (path: string, query: Record<string, string>, signal: AbortSignal) => Promise<ApiAnswer>;

/**
 * The API server that the current context of a kubeconfig names, with the certificates, tokens, login programs and
 * proxies that it says. The file is read for each request: certificates and tokens are renewed by others.
 *
 * The library's own Watch is not used: it cannot be aborted before the server has answered, it ends by itself after
 * 30 s without an event, which bookmarks (one a minute) do not prevent, it keeps Retry-After and the answer's text to
 * itself, and swallows lines that it cannot parse.
 */
export function kubernetesApi(kubeconfig: string): ApiGet {
  return async (path, query, signal) => {
    const { KubeConfig, RequestContext, IsomorphicFetchHttpLibrary } =
      await import('@kubernetes/client-node');
    const config = new KubeConfig();
    try {
      config.loadFromFile(kubeconfig);
    } catch (cause) {
      throw new Fault('precondition', `The kubeconfig ${kubeconfig} cannot be read`, { cause });
    }
    const server = config.getCurrentCluster()?.server;
    if (server === undefined)
      throw new Fault('precondition', `The current context of the kubeconfig ${kubeconfig} names no cluster`);
    const request = new RequestContext(
      `${server.replace(/\/+$/, '')}${path}?${new URLSearchParams(query).toString()}`,
      'GET',
    );
    request.setHeaderParam('Accept', 'application/json');
    request.setHeaderParam('User-Agent', 'berth');
    await config.applySecurityAuthentication(request);
    signal.throwIfAborted();
    request.setSignal(signal);
    // One for each request, with its connections.
    const hangUp = async (): Promise<void> => await request.getDispatcher()?.destroy();
    try {
      const answer = await new IsomorphicFetchHttpLibrary().send(request).toPromise();
      const retryAfter = Number(answer.headers['retry-after']);
      return {
        status: answer.httpStatusCode,
        retryAfterMs: retryAfter > 0 ? retryAfter * 1000 : undefined,
        body: closing(answer.body.stream(), hangUp, signal),
      };
    } catch (error) {
      await hangUp();
      signal.throwIfAborted();
      throw new Fault('unavailable', `The API server ${server} does not answer`, { cause: innermost(error) });
    }
  };
}

async function* closing(
  stream: ReadableStream<Uint8Array> | null,
  close: () => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    if (stream !== null) yield* stream;
  } catch (error) {
    signal.throwIfAborted();
    throw new Fault('unavailable', 'The connection to the API server broke off', { cause: innermost(error) });
  } finally {
    await close();
  }
}

/** fetch says only that it failed; the reason is below. */
function innermost(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? innermost(error.cause) : error;
}
