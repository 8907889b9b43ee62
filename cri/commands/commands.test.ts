import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { SILENT } from '../../ground/log.ts';
import { fakeRooms } from '../../test/fakes/rooms.ts';
import { censusOf } from '../census.ts';
import { podSettings } from '../config/pod-settings.ts';
import { defaultConfig } from '../config/schema.ts';
import { HANDLERS } from '../handlers.ts';
import { lockDirectory } from '../lock.ts';
import { forPeople } from '../log.ts';
import { forLog } from '../redact.ts';
import { Server } from '../server.ts';
import { withDaemon } from './daemon-client.ts';
import { statusText } from './status.ts';
import { bytes, duration, table } from './text.ts';

describe('the command line', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-commands-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it('asks the daemon that its configuration names, and says so when there is none', async () => {
    const file = join(directory, 'berth.toml');
    const listen = `unix://${directory}/berth.sock`;
    writeFileSync(file, `[cri]\nlisten = "${listen}"\n`);
    const ask = (): Promise<string> =>
      withDaemon(file, async (client) => (await client.call('Census', {})).json);
    await assert.rejects(
      ask(),
      (error: unknown) =>
        error instanceof Fault &&
        error.message === `No daemon answers on ${directory}/berth.sock; start it with: berth serve`,
    );
    const server = await new Server({ listen, rooms: fakeRooms(), handlers: HANDLERS, log: SILENT }).listen();
    assert.equal((JSON.parse(await ask()) as { images: number }).images, 1);
    const load = withDaemon(file, (client) => client.call('LoadImage', { path: 'relative.tar' }));
    await assert.rejects(load, /path is "relative.tar": it has to be an absolute path/);
    await server.close(50);
  });

  it('shows the census to people', () => {
    const census = {
      ...censusOf(fakeRooms()),
      pid: 42,
      memoryBytes: 65_000_000,
      startedAt: '2026-01-01T00:00:00.000Z',
      debts: [
        {
          id: 'a'.repeat(64),
          kind: 'network',
          since: '2026-01-01T00:00:30.000Z',
          tries: 3,
          lastError: 'no plugin',
        },
      ],
      disk: {
        path: '/var/lib/berth',
        bytesTotal: 50e9,
        bytesFree: 12e9,
        inodesTotal: 3_000_000,
        inodesFree: 2_000_000,
      },
      notices: [
        {
          id: 1,
          at: '2026-01-01T00:01:00.000Z',
          kind: 'store-repaired' as const,
          message: 'The image store was repaired: layer x: its directory is missing',
        },
      ],
      quarantined: [{ kind: 'containers', id: 'c1', reason: 'not JSON' }],
      pulls: [
        { image: 'reg.example/x:1', stage: 'resolve' as const, sinceMs: 20, progress: undefined },
        {
          image: 'reg.example/y:1',
          stage: 'fetch' as const,
          sinceMs: 2000,
          progress: {
            layersDone: 1,
            layersTotal: 3,
            bytesDone: 1_500_000,
            bytesTotal: 6_000_000,
            layers: [],
          },
        },
      ],
    };
    assert.equal(
      statusText(census, Date.parse('2026-01-01T00:02:00Z')),
      `Berth        0.0.0-test, pid 42, up 2 min, 65.0 MB
Pods         0 ready, 0 not ready
Containers   0 created, 0 running, 0 exited, 0 unknown
Images       1
Processes    0 watched
Network      ready
Cgroups      cgroupfs
Disk         12.0 GB of 50.0 GB free, 66 % of its inodes (/var/lib/berth)
Page         http://127.0.0.1:9464/

Handlers
  NAME             VERSION   STATE
  crun (default)   1.8       usable
  runc             1.1       usable
  kata             -         not usable: not found

In flight
  OPERATION       OBJECT   STAGE     SINCE
  RunPodSandbox   abc      network   1.5 s

Pulls
  IMAGE             STAGE     LAYERS   BYTES              SINCE
  reg.example/x:1   resolve   -        -                  20 ms
  reg.example/y:1   fetch     1 of 3   1.5 MB of 6.0 MB   2.0 s

Debts (undo steps that failed and are tried again)
  OBJECT          WHAT      SINCE   TRIES   LAST ERROR
  aaaaaaaaaaaaa   network   1 min   3       no plugin

Quarantined records
  KIND         ID   REASON
  containers   c1   not JSON

Lately
  SINCE   WHAT
  1 min   The image store was repaired: layer x: its directory is missing
`,
    );
  });

  it('writes sizes, times and columns', () => {
    assert.deepEqual([0, 999, 1000, 1_234_567, 5e12].map(bytes), [
      '0 B',
      '999 B',
      '1.0 kB',
      '1.2 MB',
      '5.0 TB',
    ]);
    assert.deepEqual([3, 4200, 180_000, 7_200_000, 2e8].map(duration), [
      '3 ms',
      '4.2 s',
      '3 min',
      '2 h',
      '2 d',
    ]);
    assert.equal(
      table(
        ['A', 'B'],
        [
          ['x', ''],
          ['long', 'y'],
        ],
      ),
      'A      B\nx\nlong   y\n',
    );
  });

  it('writes the log for people', () => {
    const line = '{"level":"warn","time":"2026-01-01T12:34:56.789Z","id":"a","n":{"x":1},"msg":"Hello"}';
    assert.equal(forPeople(line), '12:34:56.789 warn  Hello  id=a  n={"x":1}\n');
  });

  it('logs no secret, at any depth', () => {
    const request = {
      auth: {
        username: 'u',
        password: 'p',
        auth: 'a',
        identityToken: 'i',
        registryToken: 'r',
        serverAddress: '',
      },
      image: null,
      list: [{ password: 'p2', n: 5n }],
    };
    assert.deepEqual(forLog(request), {
      auth: {
        username: 'u',
        password: '[redacted]',
        auth: '[redacted]',
        identityToken: '[redacted]',
        registryToken: '[redacted]',
      },
      list: [{ password: '[redacted]', n: '5' }],
    });
  });

  it('lets one daemon alone work on a directory, until it ends however it ends', async () => {
    const held = lockDirectory(directory);
    assert.equal(readFileSync(join(directory, 'berth.pid'), 'utf8'), `${process.pid}\n`);
    assert.throws(
      () => lockDirectory(directory),
      (error: unknown) =>
        error instanceof Fault &&
        error.kind === 'exists' &&
        error.message.includes(`Another berth serve (pid ${process.pid}) works on ${directory}`),
    );
    held[Symbol.dispose]();
    lockDirectory(directory)[Symbol.dispose]();
    writeFileSync(join(directory, 'berth.lock'), 'no database'.repeat(100));
    assert.throws(() => lockDirectory(directory), /lock of .* cannot be taken: file is not a database/);
  });

  it('turns the configuration into settings of the pod room', () => {
    const config = defaultConfig();
    const settings = podSettings(config);
    assert.deepEqual([settings.defaultHandler, settings.defaultHandlerNamed], ['crun', false]);
    assert.equal(settings.adoptionMs, 120_000);
    config.runtime.default_handler = 'runc';
    assert.deepEqual(podSettings(config).defaultHandlerNamed, true);
    config.runtime.cgroup_driver = 'systemd';
    assert.equal(podSettings(config).cgroupParent, 'berth.slice');
    config.runtime.cgroup_parent = '/x';
    assert.throws(() => podSettings(config), /has to end in .slice/);
    config.runtime.default_handler = 'kata';
    assert.throws(
      () => podSettings(config),
      /names kata, which is no handler; the configuration has crun, runc/,
    );
  });
});
