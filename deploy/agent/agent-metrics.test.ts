import assert from 'node:assert/strict';
import { get } from 'node:http';
import type { Api, ApiAnswer, ApiRequest } from '../../kubernetes/api.ts';

import { STILL_MS, type AgentStatus } from './agent.ts';
import { AgentCounts } from './agent-counts.ts';
import { serveAgentMetrics } from './agent-metrics.ts';

const NODES = '/api/v1/nodes';
const EVENTS = '/apis/events.k8s.io/v1/namespaces/default/events';

describe("the agent's metrics", () => {
  let counts: AgentCounts;
  let status: AgentStatus;
  let served: Awaited<ReturnType<typeof serveAgentMetrics>>;

  beforeEach(async () => {
    counts = new AgentCounts();
    status = {
      node: 'n',
      apiTrouble: '',
      daemonTrouble: 'No daemon answers',
      syncedAt: '2026-01-01T00:00:10.500Z',
      eventsDue: 3,
      stillForMs: 1500,
    };
    served = await serveAgentMetrics({ status: () => status, counts }, '1.2.3', '127.0.0.1:0');
  });
  afterEach(() => served[Symbol.asyncDispose]());

  const ask = (path: string): Promise<{ status: number | undefined; text: string }> =>
    new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port: served.port, path }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => resolve({ status: response.statusCode, text }));
      }).on('error', reject);
    });
  /** Sends requests to a server that gives these answers, in their order; undefined: none. */
  async function send(requests: [ApiRequest, Partial<ApiAnswer> | undefined][]): Promise<void> {
    const answers = requests.map(([, answer]) => answer);
    const server: Api = async () => {
      const answer = answers.shift();
      if (answer === undefined) throw new Error('no answer');
      return { status: 200, retryAfterMs: undefined, body: (async function* () {})(), ...answer };
    };
    const api = counts.counting(server);
    for (const [request] of requests) await api(request, new AbortController().signal).catch(() => {});
  }

  it('count requests by verb, resource and answer, and what asks to be left alone', async () => {
    await send([
      [{ path: NODES, query: { limit: '250' } }, {}],
      [{ path: NODES, query: { watch: '1' } }, {}],
      [{ path: NODES, query: { watch: '1' } }, { status: 410 }],
      [{ path: NODES, query: { watch: '1' } }, undefined],
      [{ method: 'PATCH', path: `${NODES}/n` }, {}],
      [{ method: 'PATCH', path: `${NODES}/n/status` }, {}],
      [{ method: 'PATCH', path: `${NODES}/n/status` }, {}],
      [{ method: 'PATCH', path: `${NODES}/n/status` }, { status: 429 }],
      [{ method: 'POST', path: EVENTS }, { status: 201 }],
      [
        { method: 'POST', path: EVENTS },
        { status: 503, retryAfterMs: 1000 },
      ],
      [{ method: 'PATCH', path: `${EVENTS}/n.0a` }, {}],
    ]);
    const { status: code, text } = await ask('/metrics');
    assert.equal(code, 200);
    const requests = [...text.matchAll(/^berth_agent_api_requests_total\{(.*)\} (\d+)$/gm)];
    assert.deepEqual(
      requests.map(([, labels, count]) => `${labels!.replaceAll(/\w+=|"/g, '')} ${count}`),
      [
        'list,nodes,200 1',
        'watch,nodes,200 1',
        'watch,nodes,410 1',
        'watch,nodes,none 1',
        'patch,nodes,200 1',
        'patch,nodes/status,200 2',
        'patch,nodes/status,429 1',
        'create,events,201 1',
        'create,events,503 1',
        'patch,events,200 1',
      ],
    );
    assert.match(text, /^berth_agent_api_throttled_total 2$/m);
  });

  it('count what the watch went through', async () => {
    assert.match((await ask('/metrics')).text, /^berth_agent_watch_reconnects_total 0$/m);
    for (const what of ['watch', 'expired', 'watch', 'watch'] as const) counts.saw(what);
    const { text } = await ask('/metrics');
    assert.match(text, /^berth_agent_watch_reconnects_total 2$/m);
    assert.match(text, /^berth_agent_resyncs_total 1$/m);
  });

  it('tell how the agent stands, and what its process takes', async () => {
    const { text } = await ask('/metrics');
    for (const line of [
      'berth_agent_build_info{version="1.2.3"} 1',
      'berth_agent_api_answers 1',
      'berth_agent_daemon_answers 0',
      'berth_agent_events_due 3',
      'berth_agent_last_sync_timestamp_seconds 1767225610.5',
      'berth_agent_still_seconds 1.5',
    ])
      assert.ok(text.split('\n').includes(line), line);
    assert.match(text, /^process_resident_memory_bytes \d{7,}$/m);
    status.syncedAt = '';
    assert.match((await ask('/metrics')).text, /^berth_agent_last_sync_timestamp_seconds 0$/m);
  });

  it('call everything a counter that is called a total', async () => {
    const kinds = [...(await ask('/metrics')).text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
    assert.ok(kinds.length > 10);
    for (const [line, name, type] of kinds) assert.equal(name!.endsWith('_total'), type === 'counter', line);
  });

  it('stand beside the health that probes ask for, and nothing else', async () => {
    const well = await ask('/healthz');
    assert.deepEqual([well.status, JSON.parse(well.text)], [200, status]);
    status.stillForMs = STILL_MS;
    assert.equal((await ask('/healthz')).status, 503);
    const nothing = await ask('/');
    assert.equal(nothing.status, 404);
    assert.match(nothing.text, /Only GET \/metrics and GET \/healthz are here/);
  });

  it('say so when their address is taken', async () => {
    await assert.rejects(
      serveAgentMetrics({ status: () => status, counts }, '1.2.3', `127.0.0.1:${served.port}`),
      /EADDRINUSE.*give --metrics another address/,
    );
  });
});
