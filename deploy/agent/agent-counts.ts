import type { Api, ApiRequest } from '../../kubernetes/api.ts';

/** One kind of request, as Kubernetes' own clients count theirs (`rest_client_requests_total`). */
export interface RequestCount {
  verb: 'list' | 'watch' | 'patch' | 'create';
  /** `nodes`, `nodes/status`, `events`. */
  resource: string;
  /** The HTTP status; `none`: there was no answer. */
  code: string;
  count: number;
}

const NO_ANSWER = 'none';

/** What the agent has done since its start. */
export class AgentCounts {
  /** Answers that asked to be left alone: 429, or a Retry-After. */
  throttled = 0;
  /** Watches that the server has begun. */
  watches = 0;
  /** Versions that the server did not have any more (410): a new list follows each. */
  expired = 0;
  readonly #requests = new Map<string, RequestCount>();

  get requests(): readonly RequestCount[] {
    return [...this.#requests.values()];
  }

  /** What `Following` tells. */
  saw(what: 'watch' | 'expired'): void {
    if (what === 'watch') this.watches++;
    else this.expired++;
  }

  /** The same API server, with every request counted when it is answered or has failed. */
  counting(api: Api): Api {
    return async (request, signal) => {
      let code = NO_ANSWER;
      try {
        const answer = await api(request, signal);
        code = String(answer.status);
        if (answer.status === 429 || answer.retryAfterMs !== undefined) this.throttled++;
        return answer;
      } finally {
        this.#count(request, code);
      }
    };
  }

  #count(request: ApiRequest, code: string): void {
    const [verb, resource] = [verbOf(request), resourceOf(request.path)];
    const key = `${verb} ${resource} ${code}`;
    const known = this.#requests.get(key);
    if (known === undefined) this.#requests.set(key, { verb, resource, code, count: 1 });
    else known.count++;
  }
}

function verbOf({ method = 'GET', query }: ApiRequest): RequestCount['verb'] {
  if (method === 'GET') return query?.['watch'] === undefined ? 'list' : 'watch';
  return method === 'PATCH' ? 'patch' : 'create';
}

/** `/api/v1/nodes/n/status`: nodes/status; `/apis/GROUP/v1/namespaces/NS/events/NAME`: events. */
function resourceOf(path: string): string {
  const [resource = '', , subresource] = path
    .replace(/^\/(api\/[^/]+|apis\/[^/]+\/[^/]+)\//, '')
    .replace(/^namespaces\/[^/]+\/(?=.)/, '')
    .split('/');
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}
