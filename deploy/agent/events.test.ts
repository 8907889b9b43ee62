import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SILENT } from '../../ground/log.ts';
import type { Api } from '../../kubernetes/api.ts';
import { EventStore } from '../../test/kubernetes-events.ts';
import type { Json } from '../../test/kubernetes-patches.ts';
import { eventName, Events, type EventBounds } from './events.ts';
import type { Matter } from './matters.ts';
import type { NodeView } from './node-view.ts';

const BOUNDS: EventBounds = { repeatMs: 1000, againMs: 100, burst: 5, refillMs: 50, remembered: 8 };
const NODE = { name: 'n1', uid: 'u1' } as NodeView;
const matter = (key: string, changes: Partial<Matter> = {}): Matter => ({
  key,
  occurrence: '',
  lasting: true,
  type: 'Warning',
  reason: 'DebtUnpaid',
  action: 'GiveBack',
  note: `about ${key}`,
  ...changes,
});

describe('events on a Node', () => {
  let store: EventStore;
  let refusal: number | undefined;
  const requests: string[] = [];
  beforeEach(() => {
    store = new EventStore();
    refusal = undefined;
    requests.length = 0;
  });
  const api: Api = async ({ method, path, body }) => {
    const name = path.split('/')[7] ?? '';
    requests.push(method!);
    const said =
      refusal !== undefined
        ? { status: refusal, message: 'refused' }
        : method === 'POST'
          ? store.create('default', body as Json)
          : store.patch('default', name, body);
    async function* answer(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(JSON.stringify(said));
    }
    const status = typeof said['status'] === 'number' ? said['status'] : 201;
    return { status, retryAfterMs: undefined, body: answer() };
  };
  const open = (): Events => new Events(BOUNDS, 'agent-x', SILENT);
  const send = (events: Events, atMs: number, node = NODE): Promise<void> =>
    events.send(api, node, atMs, new AbortController().signal);
  const told = (): Json[] => [...store.events.values()];
  const counts = (): unknown[] => told().map(({ series }) => (series as Json | undefined)?.['count'] ?? 1);

  it('are such as the API server takes', async () => {
    const events = open();
    events.see([matter('a', { note: 'é'.repeat(2000) })], 0);
    await send(events, 0);
    const [event] = told();
    assert.equal(event!['reason'], 'DebtUnpaid');
    assert.deepEqual(event!['regarding'], { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u1' });
    assert.match(event!['note'] as string, /é…$/);
    assert.ok(Buffer.byteLength(event!['note'] as string) <= 1024);
    assert.equal((event!['metadata'] as Json)['name'], eventName(NODE, 'a'));
  });

  it('are one for a matter, and a series when it goes on or comes back', async () => {
    const events = open();
    for (let at = 0; at < 1000; at += 10) {
      events.see([matter('a'), matter('b', { lasting: false })], at);
      await send(events, at);
    }
    assert.deepEqual(requests, ['POST', 'POST']);
    events.see([matter('a'), matter('b', { lasting: false })], 1000);
    await send(events, 1000);
    assert.deepEqual(counts(), [2, 1], 'what lasts is told again, what has happened is not');
    events.see([], 1010);
    events.see([matter('a')], 1020);
    events.see([matter('a')], 1090);
    await send(events, 1090);
    assert.deepEqual(counts(), [2, 1], 'not so soon');
    events.see([matter('a'), matter('b', { lasting: false, occurrence: 'second' })], 1100);
    await send(events, 1100);
    assert.deepEqual(counts(), [3, 2]);
  });

  it('are told once by two agents, and by one that was killed', async () => {
    for (const events of [open(), open()]) {
      events.see([matter('a')], 0);
      await send(events, 0);
      assert.equal(events.due, 0);
    }
    assert.deepEqual(counts(), [1]);
  });

  it('are made anew when they have expired', async () => {
    const events = open();
    events.see([matter('a')], 0);
    await send(events, 0);
    store.events.clear();
    events.see([matter('a')], 1000);
    await send(events, 1000);
    assert.deepEqual(counts(), [2]);
    assert.deepEqual(requests, ['POST', 'PATCH', 'POST']);
  });

  it('are told anew of a Node that was made anew', async () => {
    const events = open();
    events.see([matter('a'), matter('b')], 0);
    await send(events, 0);
    events.see([matter('a')], 10);
    await send(events, 10, { ...NODE, uid: 'u2' });
    assert.equal(told().length, 3);
    assert.deepEqual((told()[2]!['regarding'] as Json)['uid'], 'u2');
  });

  it('wait when there are many, and are not lost while there are not too many', async () => {
    const events = open();
    events.see(
      'abcdefg'.split('').map((key) => matter(key)),
      0,
    );
    await send(events, 0);
    assert.equal(told().length, 5);
    await send(events, 49);
    assert.equal(told().length, 5);
    await send(events, 100);
    assert.equal(told().length, 7);
  });

  it('are kept while the server refuses, but for those that it never takes', async () => {
    const events = open();
    events.see([matter('a')], 0);
    for (const status of [429, 403, 500]) {
      refusal = status;
      await assert.rejects(send(events, 0), new RegExp(`\\(${status}\\)`));
      assert.equal(events.due, 1);
    }
    refusal = 422;
    await send(events, 200);
    assert.equal(events.due, 0);
  });

  it('never exceed their rate and their memory, whatever is seen', async () => {
    const look = fc.record({
      keys: fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 12 }),
      afterMs: fc.integer({ min: 0, max: 400 }),
      occurrence: fc.constantFrom('', 'x', 'y'),
      broken: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(look, { maxLength: 30 }), async (looks) => {
        store = new EventStore();
        requests.length = 0;
        const events = open();
        let at = 0;
        for (const { keys, afterMs, occurrence, broken } of looks) {
          at += afterMs;
          events.see(
            keys.map((key) => matter(`k${key}`, { occurrence })),
            at,
          );
          refusal = broken ? 503 : undefined;
          await send(events, at).catch(() => {}); // as it was told to
          assert.ok(events.due <= BOUNDS.remembered);
        }
        // A series that has expired takes two requests.
        assert.ok(requests.length <= 2 * (BOUNDS.burst + at / BOUNDS.refillMs));
        for (const { series } of told())
          assert.ok(series === undefined || ((series as Json)['count'] as number) > 1);
      }),
    );
  });
});
