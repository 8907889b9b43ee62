import assert from 'node:assert/strict';
import { busyNode } from '../../test/fakes/busy-node.ts';
import { BUSYBOX } from '../../test/fakes/rooms.ts';
import { sampleInput } from '../../pod/spec/sample-input.ts';
import { RecentWork } from './recent-work.ts';
import type { NodeSnapshot } from './parts.ts';
import { snapshotOf } from './snapshot.ts';
import { imagesOf } from './snapshot-images.ts';

describe("the node's snapshot", () => {
  it('has pods with containers, addresses and ports, in words and whole numbers', async () => {
    const { rooms, recent } = await busyNode({ pods: 10, containers: 25 });
    const { pods } = snapshotOf(rooms, recent);
    assert.equal(pods.length, 10);
    assert.equal(pods.flatMap(({ containers }) => containers).length, 25);
    const [first, , , , fifth, sixth] = pods;
    assert.deepEqual(first!.hostPorts, [{ protocol: 'tcp', hostIp: '', hostPort: 8000, containerPort: 80 }]);
    assert.deepEqual([first!.state, first!.hostNetwork, first!.addresses], ['ready', false, ['10.88.0.2']]);
    assert.match(first!.hostLink, /^berth-[0-9a-f]{8}$/);
    assert.deepEqual([sixth!.hostNetwork, sixth!.addresses, sixth!.hostLink], [true, [], '']);
    const killed = fifth!.containers[1]!;
    assert.deepEqual(
      [killed.state, killed.exitCode, killed.reason, killed.attempt],
      ['exited', 137, 'OOMKilled', 3],
    );
    assert.ok(Date.parse(killed.finishedAt) > Date.parse(killed.startedAt));
    assert.equal(fifth!.containers[0]!.finishedAt, '');
    assert.equal(fifth!.containers[0]!.image, 'docker.io/library/node:26');
  });

  it('names an image that a kubelet asked for by its id', async () => {
    const { rooms, recent } = await busyNode({ pods: 1, containers: 0 });
    rooms.images.list = () => [BUSYBOX];
    rooms.images.find = (reference) => (reference === BUSYBOX.id ? BUSYBOX : undefined);
    const image = { image: BUSYBOX.id, userSpecifiedImage: '', annotations: {}, runtimeHandler: '' };
    const [sandbox] = rooms.pods.sandboxes.keys();
    for (let nth = 0; nth < 2; nth++)
      await rooms.pods.createContainer(sandbox!, sampleInput({ container: { image } }).container);
    const { containers } = snapshotOf(rooms, recent).pods[0]!;
    assert.deepEqual(
      containers.map((one) => one.image),
      ['docker.io/library/busybox:1', 'docker.io/library/busybox:1'],
    );
  });

  it('holds no environment, no arguments, no labels and no annotations', async () => {
    const { rooms, recent } = await busyNode({ pods: 4, containers: 9, trouble: true });
    for (const [id, pod] of rooms.pods.sandboxes) {
      const labels = { l: 's3cret-label' };
      rooms.pods.sandboxes.set(id, {
        ...pod,
        config: { ...pod.config, labels, annotations: { a: 's3cret-note' } },
      });
    }
    for (const [id, container] of rooms.pods.containers)
      rooms.pods.containers.set(id, { ...container, message: 's3cret-message' });
    assert.doesNotMatch(JSON.stringify(snapshotOf(rooms, recent)), /s3cret/);
  });

  it('tells debts, quarantine, work in flight and pulls by name, and quotes no record', async () => {
    const { rooms, recent } = await busyNode({ pods: 3, containers: 6, trouble: true });
    const census = rooms.pods.census();
    let reason = '';
    try {
      JSON.parse('{"id": "x", "env": s3cret}');
    } catch (error) {
      reason = (error as Error).message;
    }
    assert.match(reason, /s3cret/);
    const quarantined = [...census.quarantined, { kind: 'containers', id: 'bad', reason }];
    rooms.pods.census = () => ({ ...census, quarantined });
    const { trouble, work } = snapshotOf(rooms, recent);
    assert.equal(trouble.debts[0]!.subject, 'default/web-39u');
    assert.deepEqual(
      trouble.quarantined.map((one) => one.reason),
      ['a time is missing', 'it is not valid JSON'],
    );
    const [stop, pull] = work.inFlight;
    assert.deepEqual([stop!.operation, stop!.stage], ['StopContainer', 'signal']);
    assert.match(stop!.subject, /^kube-system\/\S+ sidecar$/);
    assert.equal(pull!.operation, 'PullImage');
    const [running] = work.pulls;
    assert.deepEqual(
      [running!.bytesDone, running!.bytesTotal, running!.layersDone],
      [61_000_000, 154_000_000, 3],
    );
    // The same moment each time, or each look would be news.
    assert.equal(running!.beganAt, pull!.beganAt);
  });

  it('stays the same while nothing changes', async () => {
    const { rooms, recent } = await busyNode({ pods: 5, containers: 12, trouble: true });
    const constant = ({ at: _at, vitals: _vitals, ...rest }: NodeSnapshot): object => rest;
    const first = constant(snapshotOf(rooms, recent));
    await new Promise((resolve) => setTimeout(resolve, 15));
    assert.deepEqual(constant(snapshotOf(rooms, recent)), first);
  });

  it('cuts texts that are endless', async () => {
    const { rooms } = await busyNode({ pods: 1, containers: 1 });
    rooms.network.status = () => ({ ready: false, reason: 'X', message: 'm'.repeat(1_000_000) });
    const { node, network } = snapshotOf(rooms, new RecentWork());
    assert.ok(network.message.length < 600);
    assert.equal(node.conditions.find(({ type }) => type === 'NetworkReady')?.ready, false);
    assert.ok(JSON.stringify(node).length < 5000);
  });
});

describe('what images cost', () => {
  const image = (id: string, ...layers: string[]): typeof BUSYBOX => ({ ...BUSYBOX, id, layers });
  const layer = (
    chainId: string,
    bytes: number,
    content = chainId,
  ): { chainId: string; bytes: number; content: string } => ({
    chainId,
    bytes,
    content,
  });

  it('counts each directory once, and what an image has for itself', () => {
    const layers = [
      layer('base', 100),
      layer('a', 10),
      layer('b', 1),
      layer('twin-of-a', 10, 'a'),
      layer('orphan', 5),
    ];
    const found = imagesOf([image('1', 'base', 'a'), image('2', 'base', 'b', 'twin-of-a')], layers, []);
    assert.equal(found.diskBytes, 116);
    assert.equal(found.apartBytes, 110 + 111);
    assert.deepEqual(
      found.images.map(({ id, bytes, ownBytes, layers: ids }) => [id, bytes, ownBytes, ids]),
      [
        ['2', 111, 1, ['base', 'b', 'a']],
        ['1', 110, 0, ['base', 'a']],
      ],
    );
    assert.deepEqual(Object.fromEntries(found.layers.map(({ id, images }) => [id, images])), {
      base: 2,
      a: 2,
      b: 1,
      orphan: 0,
    });
  });

  it('does not fail on layers that are lost', () => {
    const found = imagesOf([image('1', 'base', 'lost')], [layer('base', 3)], []);
    assert.deepEqual(found.images[0]!.layers, ['base']);
  });
});
