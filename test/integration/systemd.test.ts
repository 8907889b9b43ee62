import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../cri/client.ts';
import { buildImage, busyboxImage } from '../image-builder.ts';
import { tarArchive } from '../../image/tar/writer.ts';
import { ContainerState, readLog } from '../pods.ts';
import { SystemdMachine } from '../systemd-machine.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const UNIT = 'berth-test.service';
const WATCHDOG_S = 5;
const IMAGE = 'registry.example/busybox:1';

/** An OCI layout as an archive, for a machine without a registry. */
function archive(): Buffer {
  const { top, manifests, blobs } = buildImage(busyboxImage());
  const index = {
    schemaVersion: 2,
    manifests: [{ mediaType: top.mediaType, digest: top.digest, size: top.bytes.length }],
  };
  const all = new Map([top, ...manifests, ...blobs].map((blob) => [blob.digest, blob.bytes]));
  return tarArchive([
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'index.json', content: JSON.stringify(index) },
    ...[...all].map(([digest, content]) => ({ path: `blobs/${digest.replace(':', '/')}`, content })),
  ]);
}

describe('the unit under systemd', function () {
  this.timeout(180_000);
  let machine: SystemdMachine;
  let config: string;
  let sound: string;
  let client: Client;
  let container: string;
  let sandbox: string;
  let log: string;

  before(async () => {
    machine = await SystemdMachine.open();
    const { directory, units } = machine;
    config = join(directory, 'berth.toml');
    for (const name of ['logs', 'net.d']) mkdirSync(join(directory, name));
    sound = `root = "${directory}/root"
state = "${directory}/state"
[cri]
listen = "unix://${directory}/berth.sock"
[metrics]
listen = ""
[network]
conf_dir = "${directory}/net.d"
pod_cidr = "10.87.0.0/24"
bridge = "berth-sd0"
`;
    writeFileSync(config, sound);
    // The unit as it is shipped; a drop-in says what differs here, as an administrator would.
    writeFileSync(join(units, UNIT), readFileSync(join(REPOSITORY, 'deploy/systemd/berth.service')));
    mkdirSync(join(units, `${UNIT}.d`), { recursive: true });
    const berth = join(REPOSITORY, 'bin/berth');
    writeFileSync(
      join(units, `${UNIT}.d/test.conf`),
      `[Service]
ExecStart=
ExecStart=${berth} serve --config ${config}
ExecReload=
ExecReload=${berth} config check --config ${config}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=${WATCHDOG_S}
`,
    );
    await machine.systemctl('daemon-reload');
    client = new Client(join(directory, 'berth.sock'));
  });

  after(async () => {
    client.close();
    if (sandbox !== undefined) {
      const again = new Client(join(machine.directory, 'berth.sock'));
      await again.call('RemovePodSandbox', { podSandboxId: sandbox }).catch(() => {}); // the machine goes anyway
      again.close();
    }
    await machine.systemctl('stop', UNIT).catch(() => {}); // what matters has been seen
    for (const place of [UNIT, `${UNIT}.d`])
      rmSync(join(machine.units, place), { recursive: true, force: true });
    await machine.systemctl('daemon-reload');
    const state = join(machine.directory, 'state');
    await machine.run([
      'sh',
      '-c',
      `grep -o ' ${machine.directory}[^ ]*' /proc/self/mountinfo | sort -ru | xargs -r umount -l; true ${state}`,
    ]);
    await machine[Symbol.asyncDispose]();
  });

  const facts = (): Promise<Record<string, string>> =>
    machine.show(
      UNIT,
      'ActiveState',
      'SubState',
      'MainPID',
      'NRestarts',
      'StatusText',
      'Result',
      'ExecMainStatus',
    );
  const shell = async (line: string): Promise<string> => {
    const cmd = ['sh', '-c', line];
    const { stdout } = await client.call('ExecSync', { containerId: container, cmd, timeout: 10n });
    return Buffer.from(stdout).toString();
  };
  /** Waits until the unit is active with another main process than before. */
  const another = async (before: string): Promise<Record<string, string>> => {
    for (let tries = 0; tries < 600; tries++, await sleep(100)) {
      const now = await facts();
      if (now['ActiveState'] === 'active' && now['MainPID'] !== before && now['MainPID'] !== '0') {
        client.close();
        client = new Client(join(machine.directory, 'berth.sock'));
        return now;
      }
    }
    throw new Error(`It did not come back: ${JSON.stringify(await facts())}`);
  };
  const lives = async (): Promise<void> => {
    const { status } = await client.call('ContainerStatus', { containerId: container });
    assert.deepEqual([status!.state, status!.metadata!.attempt], [ContainerState.RUNNING, 0]);
    assert.equal(await shell('cat /proc/sys/kernel/hostname'), 'under-systemd\n');
  };

  it('is active when its socket answers, with the daemon as its main process', async () => {
    await machine.systemctl('start', UNIT);
    const { ActiveState, SubState, StatusText, MainPID } = await facts();
    assert.deepEqual([ActiveState, SubState], ['active', 'running']);
    assert.equal((await client.call('Version', {})).runtimeName, 'berth');
    assert.match(StatusText!, /^Serving: 0 pods ready, 0 containers running/);
    const command = await machine.run(['cat', `/proc/${MainPID}/cmdline`]);
    assert.match(
      command,
      /node.*(cri\/main\.ts|load\.cjs)/,
      'the launcher has given its place to the daemon',
    );
  });

  it('runs pods', async () => {
    const file = join(machine.directory, 'image.tar');
    writeFileSync(file, archive());
    await client.call('LoadImage', { path: file, name: IMAGE });
    const pod = {
      metadata: { name: 'under-systemd', uid: 'u1', namespace: 'default', attempt: 0 },
      hostname: 'under-systemd',
      logDirectory: join(machine.directory, 'logs'),
      linux: { securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 } } },
    };
    sandbox = (await client.call('RunPodSandbox', { config: pod })).podSandboxId;
    const created = await client.call('CreateContainer', {
      podSandboxId: sandbox,
      sandboxConfig: pod,
      config: {
        metadata: { name: 'main', attempt: 0 },
        image: { image: IMAGE },
        command: ['sh', '-c', 'i=0; while :; do echo line $i; i=$((i+1)); sleep 0.05; done'],
        logPath: 'main.log',
        linux: { securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 } } },
      },
    });
    container = created.containerId;
    log = join(machine.directory, 'logs/main.log');
    await client.call('StartContainer', { containerId: container });
    await lives();
  });

  it('restarts the daemon alone', async () => {
    const before = (await facts())['MainPID']!;
    await machine.systemctl('restart', UNIT);
    await another(before);
    await lives();
    await machine.systemctl('stop', UNIT);
    assert.equal((await facts())['Result'], 'success');
    await machine.systemctl('start', UNIT);
    await another('');
    await lives();
  });

  it('starts it again when it was killed', async () => {
    const before = (await facts())['MainPID']!;
    await machine.run(['kill', '-9', before]);
    await another(before);
    await lives();
  });

  it('ends and starts one that hangs, by its watchdog, while pods live on', async () => {
    // Longer than the watchdog's time: it is fed.
    const before = (await facts())['MainPID']!;
    await sleep(WATCHDOG_S * 2000);
    assert.equal((await facts())['MainPID'], before);
    await machine.run(['kill', '-STOP', before]);
    await another(before);
    await lives();
    const said = (await machine.journal(UNIT)).map(({ MESSAGE }) => MESSAGE);
    assert.ok(
      said.some((message) => /Watchdog timeout/.test(message!)),
      said.slice(-20).join('\n'),
    );
  });

  it('reloads, and refuses files with mistakes', async () => {
    const { MainPID } = await facts();
    writeFileSync(config, `${sound}[image]\npinned = ["${IMAGE}"]\n`);
    await machine.systemctl('reload', UNIT);
    const pinned = async (): Promise<boolean> =>
      (await client.call('ImageStatus', { image: { image: IMAGE } })).image!.pinned;
    for (let tries = 0; !(await pinned()); tries++) {
      assert.ok(tries < 100, 'it was not reloaded');
      await sleep(50);
    }
    writeFileSync(config, '[');
    await assert.rejects(machine.systemctl('reload', UNIT));
    const after = await facts();
    assert.deepEqual([after['ActiveState'], after['MainPID']], ['active', MainPID]);
    assert.equal(await pinned(), true);
    writeFileSync(config, sound);
    await machine.systemctl('reload', UNIT);
    await lives();
  });

  it('does not start again and again with a configuration that cannot be', async () => {
    await machine.systemctl('stop', UNIT);
    writeFileSync(config, 'rot = "/x"');
    await assert.rejects(machine.systemctl('start', UNIT));
    await sleep(3000);
    const { ActiveState, ExecMainStatus } = await facts();
    assert.deepEqual([ActiveState, ExecMainStatus], ['failed', '78']);
    const mistakes = (await machine.journal(UNIT)).filter(({ MESSAGE }) =>
      /did you mean root/.test(String(MESSAGE)),
    );
    assert.equal(mistakes.length, 1);
    assert.equal(mistakes[0]!['PRIORITY'], '3', 'an error, not a word among others');
    writeFileSync(config, sound);
    await machine.systemctl('start', UNIT);
    await another('');
    await lives();
  });

  it('has its log in the journal, in fields', async () => {
    const missing = 'f'.repeat(64);
    await assert.rejects(client.call('StartContainer', { containerId: missing }), { code: 'NOT_FOUND' });
    const entries = await machine.journal(UNIT);
    const ready = entries.filter(({ MESSAGE }) => String(MESSAGE).startsWith('The daemon is ready'));
    assert.ok(ready.length >= 5, `${ready.length} starts`);
    const last = ready.at(-1)!;
    assert.equal(last['SYSLOG_IDENTIFIER'], 'berth');
    assert.equal(last['PRIORITY'], '6');
    assert.equal(last['_TRANSPORT'], 'journal');
    assert.equal(last['_PID'], (await facts())['MainPID']);
    assert.equal(last['BERTH_SOCKET'], `unix://${machine.directory}/berth.sock`);
    const failed = entries.filter((entry) => entry['BERTH_RPC'] === 'StartContainer');
    assert.deepEqual(
      failed.map((entry) => [entry['BERTH_CODE'], entry['BERTH_CONTAINER']]),
      [['NOT_FOUND', missing]],
    );
    const found = await machine.run(['journalctl', `BERTH_CONTAINER=${missing}`, '-o', 'cat', '--no-pager']);
    assert.match(found, new RegExp(missing));
  });

  it('has lost no line of the container through all of that', async () => {
    const lines = readLog(log).map(({ content }) => content);
    assert.deepEqual(
      lines,
      lines.map((_, index) => `line ${index}`),
    );
    assert.ok(lines.length > 100);
    await client.call('StopContainer', { containerId: container, timeout: 0n });
    await client.call('RemovePodSandbox', { podSandboxId: sandbox });
  });
});
