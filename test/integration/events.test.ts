import assert from 'node:assert/strict';
import { ContainerEventType } from '../../cri/proto/codec.js';
import type { ResponseOf } from '../../cri/rpc.ts';
import type { TestNode } from '../node.ts';
import {
  ContainerState,
  eventually,
  podConfig,
  removePod,
  runPod,
  runSandbox,
  SandboxState,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

type Event = ResponseOf<'GetContainerEvents'>;

const KINDS = Object.fromEntries(
  Object.entries(ContainerEventType).map(([name, number]) => [
    number,
    name.replace(/CONTAINER_(\w+)_EVENT/, '$1').toLowerCase(),
  ]),
);
const POD_ON_THE_NODE = { linux: { securityContext: { namespaceOptions: { network: 2, pid: 1, ipc: 0 } } } };

/** Reads the events until it is stopped; resolves with how the stream ended. */
function follow(node: TestNode): { events: Event[]; stop: AbortController; ended: Promise<string> } {
  const events: Event[] = [];
  const stop = new AbortController();
  const ended = (async () => {
    try {
      for await (const event of node.client.stream('GetContainerEvents', {}, { signal: stop.signal }))
        events.push(event);
      return 'OK';
    } catch (error) {
      return (error as { code: string }).code;
    }
  })();
  return { events, stop, ended };
}

describe('GetContainerEvents', () => {
  const suite = useNode();

  const subscribers = async (): Promise<{ subscribers: number; dropped: number }> => {
    const { json } = await suite.node.client.call('Census', {});
    return (JSON.parse(json) as { events: { subscribers: number; dropped: number } }).events;
  };
  const subscribed = (many: number): Promise<unknown> =>
    eventually(`${many} follow`, 5000, async () =>
      (await subscribers()).subscribers === many ? true : undefined,
    );

  it('tells of each change of sandboxes and containers, with the pod as it stands', async () => {
    const { node } = suite;
    const [one, other] = [follow(node), follow(node)];
    await subscribed(2);
    const { sandbox, container } = await runPod(node, 'told', ['sh', '-c', 'exit 4']);
    await eventually('it has ended', 5000, () => (one.events.length >= 5 ? true : undefined));
    await node.client.call('RemoveContainer', { containerId: container });
    await removePod(node, sandbox);
    await eventually('all is told', 5000, () => (one.events.length >= 8 ? true : undefined));
    one.stop.abort();
    assert.equal(await one.ended, 'CANCELLED');
    await subscribed(1);

    const name = (id: string): string => (id === sandbox ? 'sandbox' : id === container ? 'container' : id);
    assert.deepEqual(
      one.events.map((event) => `${name(event.containerId)} ${KINDS[event.containerEventType]}`),
      [
        'sandbox created',
        'sandbox started',
        'container created',
        'container started',
        'container stopped',
        'container deleted',
        'sandbox stopped',
        'sandbox deleted',
      ],
    );
    const [begun, , created, , stopped, removed, , deleted] = one.events as [Event, ...Event[]];
    assert.equal(begun.podSandboxStatus?.metadata?.name, 'told');
    assert.equal(begun.podSandboxStatus.state, SandboxState.READY);
    assert.deepEqual(begun.containersStatuses, []);
    assert.deepEqual(
      created!.containersStatuses.map(({ id, state }) => [id, state]),
      [[container, ContainerState.CREATED]],
    );
    const [end] = stopped!.containersStatuses;
    assert.deepEqual([end?.state, end?.exitCode, end?.reason], [ContainerState.EXITED, 4, 'Error']);
    assert.ok(stopped!.podSandboxStatus?.network?.ip !== '');
    assert.deepEqual(removed!.containersStatuses, []);
    assert.equal(deleted!.podSandboxStatus?.id, sandbox);
    assert.equal(deleted!.podSandboxStatus.state, SandboxState.NOTREADY);
    const times = one.events.map(({ createdAt }) => createdAt);
    assert.ok(times[0]! > 0n);
    assert.ok(times.every((time, at) => at === 0 || time >= times[at - 1]!));

    // Who joined as well has heard the same; the daemon's stop ends what has no end of its own.
    assert.deepEqual(other.events, one.events);
    await node.stop();
    assert.equal(await other.ended, 'OK');
    await node.start();
  });

  it('tells of ends that nobody asked for', async () => {
    const { node } = suite;
    const { sandbox, container } = await runPod(node, 'killed', ['sleep', '1000']);
    const { events, stop, ended } = follow(node);
    await subscribed(1);
    const info = await node.client.call('PodSandboxStatus', { podSandboxId: sandbox, verbose: true });
    process.kill(Number(info.info['pid']), 'SIGKILL');
    await eventually('it is told', 5000, () => (events.length > 0 ? true : undefined));
    const { info: details } = await node.client.call('ContainerStatus', {
      containerId: container,
      verbose: true,
    });
    process.kill(Number(details['pid']), 'SIGKILL');
    await eventually('it is told', 5000, () => (events.length > 1 ? true : undefined));
    assert.deepEqual(
      events.map((event) => [event.containerId, KINDS[event.containerEventType]]),
      [
        [sandbox, 'stopped'],
        [container, 'stopped'],
      ],
    );
    assert.equal(events[0]!.podSandboxStatus?.state, SandboxState.NOTREADY);
    assert.equal(events[1]!.containersStatuses[0]?.exitCode, 137);
    stop.abort();
    await ended;
  });

  it('is not held up by who does not read: that one loses the oldest, and they are counted', async function () {
    this.timeout(120_000);
    const { node } = suite;
    const idle = node.client.stream('GetContainerEvents', {});
    const first = idle.next();
    await subscribed(1);
    const before = (await subscribers()).dropped;
    let pods = 0;
    for (; pods < 2000 && (await subscribers()).dropped === before; pods += 8)
      await Promise.all(
        Array.from({ length: 8 }, async (_, at) => {
          const config = podConfig(node, `idle-${pods + at}`, {
            ...POD_ON_THE_NODE,
            annotations: { filling: 'x'.repeat(16_000) },
          });
          await removePod(node, await runSandbox(node, config));
        }),
      );
    assert.ok((await subscribers()).dropped > before, `nothing was dropped in ${pods} pods`);
    assert.match(node.log, /reads too slowly/);
    const metrics = await node.exec([
      'sh',
      '-c',
      "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 127.0.0.1 9464",
    ]);
    assert.match(metrics, /^berth_container_events_dropped_total [1-9]/m);
    const oldest = (await first) as IteratorYieldResult<Event>;
    assert.equal(KINDS[oldest.value.containerEventType], 'created', 'the oldest was on its way');
    await idle.return(undefined);
    await subscribed(0);
  });
});
