import * as grpc from '@grpc/grpc-js';
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import { SILENT, type Log } from '../ground/log.ts';
import { CREATED_AT_NS, fakeRooms } from '../test/fakes/rooms.ts';
import { Client, RpcError } from './client.ts';
import { HANDLERS } from './handlers.ts';
import { RPCS, type Rpc, type StreamRpc, type UnaryRpc } from './rpc.ts';
import { Server } from './server.ts';

const METADATA = { name: 'web', uid: 'u-1', namespace: 'default', attempt: 0 };

describe('the gRPC server', () => {
  let directory: string;
  let socket: string;
  let rooms: ReturnType<typeof fakeRooms>;
  let server: Server;
  let client: Client;
  const observed: { rpc: Rpc; code: string }[] = [];
  const lines: { fields: object; message: string }[] = [];
  const keep = (fields: object, message: string): void => void lines.push({ fields, message });
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep };

  const fails = (code: string, text: RegExp) => (error: unknown) => {
    assert.ok(error instanceof RpcError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.details, text);
    return true;
  };

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-wire-'));
    socket = join(directory, 'berth.sock');
    rooms = fakeRooms();
    observed.length = 0;
    lines.length = 0;
    const observe = (rpc: Rpc, code: string): void => void observed.push({ rpc, code });
    server = await new Server({
      listen: `unix://${socket}`,
      rooms,
      handlers: HANDLERS,
      log,
      observe,
    }).listen();
    client = new Client(socket);
  });

  afterEach(async () => {
    client.close();
    await server.close(200);
    rmSync(directory, { recursive: true });
  });

  it('answers on a socket that only its owner can use, and leaves nothing when it closes', async () => {
    assert.deepEqual(await client.call('Version', {}), {
      version: '0.1.0',
      runtimeName: 'berth',
      runtimeVersion: '0.0.0-test',
      runtimeApiVersion: 'v1',
    });
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(directory), ['berth.sock']);
    await server.close();
    assert.deepEqual(readdirSync(directory), []);
  });

  it('replaces a stale socket file, and refuses one that somebody listens on', async () => {
    const stale = join(directory, 'stale.sock');
    const other = createServer().listen(stale);
    await new Promise((resolve) => other.once('listening', resolve));
    const options = { listen: `unix://${stale}`, rooms, handlers: HANDLERS, log: SILENT };
    await assert.rejects(new Server(options).listen(), (error: unknown) => {
      return error instanceof Fault && error.kind === 'exists' && error.message.includes(stale);
    });
    assert.ok(existsSync(stale));
    // A process that dies leaves its file: here, a listener that closes while its file has another name.
    const { renameSync } = await import('node:fs');
    renameSync(stale, `${stale}.kept`);
    await new Promise((resolve) => other.close(resolve));
    renameSync(`${stale}.kept`, stale);
    const second = await new Server(options).listen();
    using reached = new Client(stale);
    assert.equal((await reached.call('Version', {})).runtimeName, 'berth');
    await second.close(50);
  });

  it('refuses a socket path that the kernel cannot take', async () => {
    const listen = `unix://${directory}/${'x'.repeat(120)}`;
    await assert.rejects(
      new Server({ listen, rooms, handlers: HANDLERS, log: SILENT }).listen(),
      /too long for the kernel/,
    );
  });

  it('answers Unimplemented, with the name of the RPC, to all that is not served', async () => {
    const listen = `unix://${directory}/bare.sock`;
    const { Version, ListPodSandbox, StreamContainers } = HANDLERS;
    const bare = await new Server({
      listen,
      rooms,
      handlers: { Version, ListPodSandbox, StreamContainers },
      log: SILENT,
    }).listen();
    using caller = new Client(`${directory}/bare.sock`);
    const missing = [...RPCS.values()].filter(
      ({ rpc }) => !['Version', 'ListPodSandbox', 'StreamContainers'].includes(rpc),
    );
    for (const { rpc, stream } of missing) {
      const call = stream ? caller.stream(rpc as StreamRpc, {}).next() : caller.call(rpc as UnaryRpc, {});
      await assert.rejects(call, fails('UNIMPLEMENTED', new RegExp(`Berth does not serve ${rpc} yet`)));
    }
    assert.equal((await caller.call('Version', {})).runtimeName, 'berth');
    await bare.close(50);
  });

  it('maps every kind of fault to its code', async () => {
    const codes = {
      invalid: 'INVALID_ARGUMENT',
      'not-found': 'NOT_FOUND',
      exists: 'ALREADY_EXISTS',
      precondition: 'FAILED_PRECONDITION',
      exhausted: 'RESOURCE_EXHAUSTED',
      deadline: 'DEADLINE_EXCEEDED',
      cancelled: 'CANCELLED',
      unavailable: 'UNAVAILABLE',
      unimplemented: 'UNIMPLEMENTED',
      'data-loss': 'DATA_LOSS',
      permission: 'PERMISSION_DENIED',
      internal: 'INTERNAL',
    } as const;
    for (const [kind, code] of Object.entries(codes)) {
      rooms.pods.startContainer = async () => {
        throw new Fault(kind as keyof typeof codes, 'It cannot be', {
          subject: 'container c',
          stage: 'start',
        });
      };
      const call = client.call('StartContainer', { containerId: 'c' });
      await assert.rejects(call, fails(code, /^container c: start: It cannot be$/));
    }
    rooms.pods.startContainer = async () => {
      throw new TypeError('a mistake of ours');
    };
    await assert.rejects(client.call('StartContainer', { containerId: 'c' }), fails('UNKNOWN', /a mistake/));
  });

  it('begins texts with the names that the kubelet knows, under the code from which it reads them', async () => {
    rooms.images.pull = async () => {
      throw new Fault('unavailable', 'No answer', { subject: 'image r/x:1', stage: 'resolve' });
    };
    await assert.rejects(
      client.call('PullImage', { image: { image: 'r/x:1' } }),
      fails('UNKNOWN', /^RegistryUnavailable: image r\/x:1: resolve: No answer$/),
    );
    rooms.pods.startContainer = async () => {
      throw new Fault('invalid', 'RROUnsupported: this kernel has no recursive read-only mounts');
    };
    await assert.rejects(
      client.call('StartContainer', { containerId: 'c' }),
      fails('UNKNOWN', /^RROUnsupported: this kernel/),
    );
  });

  it('cuts error texts that would not fit into a header', async () => {
    rooms.pods.startContainer = async () => {
      throw new Fault('internal', 'é'.repeat(100_000));
    };
    await assert.rejects(
      client.call('StartContainer', { containerId: 'c' }),
      fails('INTERNAL', /^é{4000}…$/),
    );
  });

  it('refuses a request that is no message', async () => {
    const raw = new grpc.Client(`unix:${socket}`, grpc.credentials.createInsecure());
    const bytes = Buffer.from([0x0a, 0xff]);
    const error = await new Promise<grpc.ServiceError | null>((resolve) => {
      const asIs = (value: Buffer): Buffer => value;
      raw.makeUnaryRequest('/runtime.v1.RuntimeService/RunPodSandbox', asIs, asIs, bytes, resolve);
    });
    raw.close();
    assert.equal(error?.code, grpc.status.INVALID_ARGUMENT);
  });

  it('sends more than the 4 MiB and 16 MiB that gRPC and the kubelet take by themselves', async () => {
    rooms.pods.execSync = async () => ({
      stdout: Buffer.alloc(20 * 1024 * 1024),
      stderr: Buffer.alloc(0),
      exitCode: 0,
    });
    const answer = await client.call('ExecSync', { containerId: 'c', cmd: ['x'] });
    assert.equal(answer.stdout.length, 20 * 1024 * 1024);
  });

  it('never logs credentials or environment values', async () => {
    await client.call('PullImage', {
      image: { image: 'docker.io/library/busybox:1' },
      auth: {
        username: 'me',
        password: 'hidden-1',
        auth: 'hidden-2',
        identityToken: 'hidden-3',
        registryToken: 'hidden-4',
      },
    });
    const { podSandboxId } = await client.call('RunPodSandbox', { config: { metadata: METADATA } });
    await client.call('CreateContainer', {
      podSandboxId,
      config: {
        metadata: { name: 'c' },
        image: { image: 'x' },
        envs: [{ key: 'TOKEN', value: Buffer.from('hidden-5') }],
      },
    });
    const text = JSON.stringify(lines);
    assert.doesNotMatch(text, /hidden/);
    assert.match(text, /\[redacted\]/);
    assert.match(text, /TOKEN.*8 bytes/);
  });

  it('carries a pod through its life', async () => {
    const config = { metadata: METADATA, labels: { app: 'web' }, logDirectory: '/var/log/pods/p' };
    const { podSandboxId } = await client.call('RunPodSandbox', { config, runtimeHandler: 'runc' });
    const { status, info } = await client.call('PodSandboxStatus', { podSandboxId, verbose: true });
    assert.equal(status?.createdAt, CREATED_AT_NS);
    assert.deepEqual(status?.metadata, METADATA);
    assert.deepEqual(status?.network, { ip: '10.88.0.2', additionalIps: [{ ip: 'fd00::2' }] });
    assert.equal(status?.runtimeHandler, 'runc');
    assert.deepEqual(info, { pid: '42', at: `"${CREATED_AT_NS}"` });
    const { containerId } = await client.call('CreateContainer', {
      podSandboxId,
      config: {
        metadata: { name: 'c', attempt: 2 },
        image: { image: 'busybox:1' },
        stopSignal: 38,
        mounts: [{ containerPath: '/d', hostPath: '/h', propagation: 1 }],
        linux: { resources: { cpuQuota: -1, hugepageLimits: [{ pageSize: '2MB', limit: 2n ** 60n }] } },
      },
      sandboxConfig: config,
    });
    await client.call('StartContainer', { containerId });
    const stated = await client.call('ContainerStatus', { containerId });
    assert.equal(stated.status?.state, 1);
    assert.equal(stated.status?.startedAt, CREATED_AT_NS + 1n);
    assert.equal(stated.status?.stopSignal, 38);
    assert.equal(stated.status?.mounts[0]?.propagation, 1);
    assert.equal(stated.status?.resources?.linux?.cpuQuota, -1n);
    assert.equal(stated.status?.resources?.linux?.hugepageLimits[0]?.limit, 2n ** 60n);
    const listed = await client.call('ListContainers', { filter: { podSandboxId, state: { state: 1 } } });
    assert.deepEqual(
      listed.containers.map(({ id, metadata }) => [id, metadata?.attempt]),
      [[containerId, 2]],
    );
    const pod = await client.call('PodSandboxStatus', { podSandboxId });
    assert.deepEqual(pod.containersStatuses, [stated.status]);
    assert.ok(pod.timestamp > CREATED_AT_NS - 10n ** 18n);
    const stats = await client.call('ContainerStats', { containerId });
    assert.equal(stats.stats?.memory?.workingSetBytes?.value, 7n);
    assert.equal(stats.stats?.memory?.availableBytes?.value, 12n);
    assert.deepEqual(stats.stats?.swap?.swapAvailableBytes, { value: 14n });
    assert.deepEqual(stats.stats?.cpu?.psi?.Some, { Total: 1000n, Avg10: 0.5, Avg60: 0.25, Avg300: 0 });
    const ran = await client.call('ExecSync', { containerId, cmd: ['echo', 'a'], timeout: 5 });
    assert.equal(Buffer.from(ran.stdout).toString(), 'echo a');
    await client.call('StopContainer', { containerId, timeout: -3 });
    await client.call('RemoveContainer', { containerId });
    await client.call('StopPodSandbox', { podSandboxId });
    await client.call('RemovePodSandbox', { podSandboxId });
    assert.deepEqual(rooms.pods.calls, ['stopContainer 0', `stopSandbox ${podSandboxId}`]);
    assert.equal(rooms.pods.sandboxes.size, 0);
  });

  it('takes away what is gone already, and finds nothing where nothing is', async () => {
    for (const rpc of ['StopPodSandbox', 'RemovePodSandbox'] as const)
      await client.call(rpc, { podSandboxId: 'none' });
    for (const rpc of ['StopContainer', 'RemoveContainer'] as const)
      await client.call(rpc, { containerId: 'none' });
    await client.call('RemoveImage', { image: { image: 'none' } });
    assert.equal((await client.call('ImageStatus', { image: { image: 'none' } })).image, null);
    const missing = fails('NOT_FOUND', /none: There is no such/);
    await assert.rejects(client.call('PodSandboxStatus', { podSandboxId: 'none' }), missing);
    await assert.rejects(client.call('ContainerStatus', { containerId: 'none' }), missing);
    await assert.rejects(client.call('ExecSync', { containerId: 'none', cmd: ['x'] }), missing);
    await assert.rejects(
      client.call('StartContainer', { containerId: '' }),
      fails('INVALID_ARGUMENT', /containerId is empty/),
    );
  });

  it('speaks of images with one identity', async () => {
    const { images } = await client.call('ListImages', {});
    const { imageRef } = await client.call('PullImage', { image: { image: 'docker.io/library/busybox:1' } });
    assert.deepEqual(
      images.map(({ id }) => id),
      [imageRef],
    );
    const { image } = await client.call('ImageStatus', { image: { image: imageRef }, verbose: true });
    assert.deepEqual([image?.uid?.value, image?.username, image?.size], [1000n, '', 1_234_567n]);
    const none = await client.call('ListImages', { filter: { image: { image: 'other' } } });
    assert.deepEqual(none.images, []);
    const usage = await client.call('ImageFsInfo', {});
    assert.equal(usage.imageFilesystems[0]?.usedBytes?.value, 2n ** 40n);
    assert.ok(usage.imageFilesystems[0].timestamp > 10n ** 18n);
  });

  it('reports conditions, handlers and, when asked, its own account', async () => {
    const status = await client.call('Status', { verbose: true });
    assert.deepEqual(
      status.status?.conditions.map(({ type, status: holds }) => [type, holds]),
      [
        ['RuntimeReady', true],
        ['NetworkReady', true],
      ],
    );
    assert.deepEqual(
      status.runtimeHandlers.map(({ name }) => name),
      ['', 'crun', 'runc'],
    );
    const census = JSON.parse(status.info['census']!) as { inFlight: { stage: string }[]; images: number };
    assert.deepEqual([census.inFlight[0]?.stage, census.images], ['network', 1]);
    rooms.pods.handlers = () => [];
    const broken = await client.call('Status', {});
    assert.equal(broken.status?.conditions[0]?.reason, 'NoUsableHandler');
    assert.deepEqual(broken.info, {});
    assert.deepEqual(await client.call('RuntimeConfig', {}), { linux: { cgroupDriver: 1 } });
    await client.call('UpdateRuntimeConfig', {
      runtimeConfig: { networkConfig: { podCidr: '10.1.0.0/24' } },
    });
    await client.call('UpdateRuntimeConfig', {});
    assert.equal(rooms.network.cidr, '10.1.0.0/24');
  });

  it('streams lists in parts', async () => {
    for (let attempt = 0; attempt < 600; attempt++)
      await client.call('RunPodSandbox', {
        config: { metadata: { ...METADATA, attempt }, annotations: { filling: 'x'.repeat(4000) } },
      });
    const sizes: number[] = [];
    for await (const part of client.stream('StreamPodSandboxes', {})) sizes.push(part.podSandboxes.length);
    assert.equal(sizes.length, 3);
    const { items: all } = await client.call('ListPodSandbox', {});
    assert.deepEqual([sizes.reduce((sum, size) => sum + size), all.length], [600, 600]);
    const none = client.stream('StreamContainers', {});
    assert.deepEqual(await none.next(), { value: undefined, done: true });
    const { items } = await client.call('ListPodSandbox', { filter: { labelSelector: { app: 'other' } } });
    assert.deepEqual(items, []);
  });
});
