import assert from 'node:assert/strict';
import { createServer, get, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { busyNode } from '../../test/fakes/busy-node.ts';
import { eventually } from '../../test/pods.ts';
import { Feed, type FeedOptions } from './feed.ts';
import type { NodeSnapshot } from './parts.ts';
import { snapshotOf } from './snapshot.ts';

interface Event {
  at: string;
  set: Record<string, unknown>;
  gone: string[];
  whole: boolean;
}

describe('the feed of the page', () => {
  let server: Server | undefined;
  let feed: Feed;
  let snapshot: NodeSnapshot;
  let looks: number;

  const open = async (options: Partial<FeedOptions> = {}): Promise<number> => {
    looks = 0;
    feed = new Feed({
      snapshot: () => {
        looks++;
        return snapshot;
      },
      tickMs: 5,
      ...options,
    });
    server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      feed.watch(response);
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };

  const watch = (port: number): { events: Event[]; leave: () => void } => {
    const events: Event[] = [];
    let text = '';
    const request = get({ port, host: '127.0.0.1' }, (response) => {
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const line = text.slice(0, end);
          text = text.slice(end + 2);
          if (line.startsWith('data: ')) events.push(JSON.parse(line.slice(6)) as Event);
        }
      });
      response.on('error', () => {});
    }).on('error', () => {});
    return { events, leave: () => request.destroy() };
  };

  beforeEach(async () => {
    const { rooms, recent } = await busyNode({ pods: 3, containers: 6 });
    snapshot = snapshotOf(rooms, recent);
  });
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });

  it('tells everything first, then what changed, then what is gone', async () => {
    const port = await open();
    const { events, leave } = watch(port);
    await eventually('the first event', 5000, () => events[0]);
    const keys = snapshot.pods.map(({ id }) => `pod:${id}`);
    assert.deepEqual(
      Object.keys(events[0]!.set).toSorted(),
      [...keys, 'images', 'network', 'node', 'starts', 'trouble', 'vitals', 'work'].toSorted(),
    );
    assert.equal(events[0]!.whole, true);
    const [first, second, third] = snapshot.pods;
    snapshot = { ...snapshot, pods: [first!, { ...second!, state: 'notready' }, third!] };
    const change = await eventually('the change', 5000, () => events[1]);
    assert.deepEqual([Object.keys(change.set), change.gone, change.whole], [[keys[1]], [], false]);
    snapshot = { ...snapshot, pods: [first!, snapshot.pods[1]!] };
    const removal = await eventually('the removal', 5000, () => events[2]);
    assert.deepEqual([removal.set, removal.gone], [{}, [keys[2]]]);
    leave();
  });

  it('says now and then that all is well', async () => {
    const { events, leave } = watch(await open({ tickMs: 1 }));
    const beat = await eventually('a beat', 5000, () => events[1]);
    assert.deepEqual([beat.set, beat.gone], [{}, []]);
    assert.ok(looks >= 10, 'not with each look');
    leave();
  });

  it('looks at nothing and runs no clock while nobody watches', async () => {
    const port = await open();
    assert.deepEqual([feed.awake, looks], [false, 0]);
    const one = watch(port);
    const other = watch(port);
    await eventually('both watch', 5000, () => (feed.watchers === 2 ? true : undefined));
    one.leave();
    await eventually('one is gone', 5000, () => (feed.watchers === 1 ? true : undefined));
    assert.equal(feed.awake, true);
    other.leave();
    await eventually('nobody watches', 5000, () => (feed.watchers === 0 ? true : undefined));
    assert.equal(feed.awake, false);
    const before = looks;
    await new Promise((resolve) => setTimeout(resolve, 40));
    assert.equal(looks, before);
    // Whoever comes then gets everything again.
    const { events, leave } = watch(port);
    assert.equal((await eventually('the first event', 5000, () => events[0])).whole, true);
    leave();
  });

  it('looks once for all who watch, and gives a late one everything', async () => {
    const port = await open();
    const early = watch(port);
    await eventually('the first event', 5000, () => early.events[0]);
    const late = watch(port);
    const first = await eventually('its first event', 5000, () => late.events[0]);
    assert.equal(Object.keys(first.set).length, 7 + snapshot.pods.length);
    assert.ok(early.events.length < 10);
    early.leave();
    late.leave();
  });

  it('drops a watcher that takes nothing, and keeps little for it', async () => {
    // More than the kernel's buffers take.
    snapshot = { ...snapshot, network: { ...snapshot.network, message: 'x'.repeat(20_000_000) } };
    const port = await open({ patienceMs: 50 });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.pause();
    await eventually('it watches', 5000, () => (feed.watchers === 1 ? true : undefined));
    await eventually('it is dropped', 10_000, () => (feed.watchers === 0 ? true : undefined));
    assert.equal(feed.awake, false);
    socket.destroy();
  });

  it('gives one that was slow everything again', async () => {
    snapshot = { ...snapshot, network: { ...snapshot.network, message: 'x'.repeat(20_000_000) } };
    const port = await open({ patienceMs: 60_000 });
    const parts: Buffer[] = [];
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.pause().on('data', (part: Buffer) => parts.push(part));
    const looksBefore = await eventually('it watches', 5000, () => (feed.watchers === 1 ? looks : undefined));
    for (const message of ['missed', 'last']) {
      snapshot = { ...snapshot, network: { ...snapshot.network, message } };
      await eventually('the change is seen', 5000, () => (looks > looksBefore + 20 ? looks : undefined));
    }
    socket.resume();
    const text = await eventually('it has caught up', 20_000, () => {
      const end = Buffer.concat(parts.slice(-20)).toString('latin1');
      return end.includes('"message":"last"') && end.includes('"whole":true') ? end : undefined;
    });
    assert.doesNotMatch(text, /missed/);
    socket.destroy();
  });
});
