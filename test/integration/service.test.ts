import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Datagrams } from '../datagrams.ts';
import { TestNode } from '../node.ts';
import { processesOf } from '../node-processes.ts';
import { runPod } from '../pods.ts';
import { useNode } from '../use-node.ts';

const WATCHDOG_MS = 1500;

describe('the daemon as a service', () => {
  const suite = useNode();
  let manager: Datagrams;
  let address: string;
  let turn = 0;

  beforeEach(() => {
    address = join(suite.node.directory, `notify-${++turn}`);
    manager = new Datagrams(address);
  });
  afterEach(() => manager[Symbol.dispose]());

  const environment = (watchdog = false): Record<string, string> => ({
    NOTIFY_SOCKET: address,
    ...(watchdog ? { WATCHDOG_USEC: String(WATCHDOG_MS * 1000) } : {}),
  });
  const fed = (): number => manager.texts.filter((text) => text.includes('WATCHDOG=1')).length;

  it('says how its start comes on, that it is ready, what it does, and that it ends', async () => {
    const { node } = suite;
    await runPod(node, 'told', ['sleep', '1000']);
    await node.restart(environment());
    await manager.until((texts) => texts.some((text) => text.startsWith('READY=1')));
    const starting = manager.texts.slice(
      0,
      manager.texts.findIndex((text) => text.startsWith('READY=1')),
    );
    for (const text of starting) assert.match(text, /^EXTEND_TIMEOUT_USEC=\d{7,}$/m);
    assert.ok(starting.some((text) => text.includes('STATUS=Following 1 pods and 1 containers')));
    const ready = manager.texts[starting.length]!;
    assert.match(ready, new RegExp(`^READY=1\nMAINPID=${node.pid}\n`));
    assert.match(ready, /STATUS=Serving: 1 pods ready, 1 containers running/);
    await node.stop();
    await manager.until((texts) => texts.at(-1)?.startsWith('STOPPING=1\nSTATUS=Stopping'));
    await node.start();
  });

  it('reads its configuration again between RELOADING and READY', async () => {
    const { node } = suite;
    await node.restart(environment());
    await manager.until((texts) => texts.some((text) => text.startsWith('READY=1')));
    const before = manager.texts.length;
    process.kill(node.pid, 'SIGHUP');
    await manager.until((texts) => texts.slice(before).some((text) => text.startsWith('READY=1')));
    const said = manager.texts.slice(before).map((text) => text.split('=', 1)[0]);
    assert.deepEqual(said, ['RELOADING', 'READY']);
    await node.restart();
  });

  it('feeds the watchdog while its socket answers, and not when it does not', async () => {
    const { node } = suite;
    await node.restart(environment(true));
    await manager.until(() => fed() >= 3);
    // The name of the socket is gone: no caller reaches the daemon any more.
    renameSync(node.socket, `${node.socket}.away`);
    await sleep(WATCHDOG_MS);
    const hungry = fed();
    await sleep(WATCHDOG_MS);
    assert.equal(fed(), hungry, 'it is not fed');
    assert.match(node.log, /does not answer on its own socket; the watchdog is not fed/);
    renameSync(`${node.socket}.away`, node.socket);
    await manager.until(() => fed() > hungry);
    await node.restart();
  });

  it('does not feed it while the event loop stands still', async () => {
    const { node } = suite;
    await node.restart(environment(true));
    await manager.until(() => fed() >= 1);
    process.kill(node.pid, 'SIGSTOP');
    await sleep(100);
    const stopped = fed();
    await sleep(WATCHDOG_MS);
    assert.equal(fed(), stopped);
    process.kill(node.pid, 'SIGCONT');
    await manager.until(() => fed() > stopped);
    await node.restart();
  });

  it('keeps what systemd gave it from all its children', async () => {
    const { node } = suite;
    await node.restart({ ...environment(true), JOURNAL_STREAM: '1:1' });
    await manager.until((texts) => texts.some((text) => text.startsWith('READY=1')));
    const { container } = await runPod(node, 'child', ['sleep', '1000']);
    const children = processesOf(node).filter(({ pid }) => pid !== node.pid && pid !== process.pid);
    assert.ok(
      children.some(({ command }) => command.includes('conmon')),
      'the monitor is among them',
    );
    for (const { pid, command } of children)
      assert.doesNotMatch(
        readFileSync(`/proc/${pid}/environ`, 'latin1'),
        /NOTIFY_SOCKET|WATCHDOG_|JOURNAL_STREAM/,
        command,
      );
    const { stdout } = await node.client.call('ExecSync', {
      containerId: container,
      cmd: ['env'],
      timeout: 5n,
    });
    assert.doesNotMatch(Buffer.from(stdout).toString(), /NOTIFY_SOCKET|WATCHDOG_|JOURNAL_STREAM/);
    await node.restart();
  });
});

describe('a service that cannot start', () => {
  it('ends with 78 for mistakes of the configuration, and with another code for all else', async () => {
    const node = await TestNode.make();
    try {
      const serve = (): ReturnType<typeof spawnSync> =>
        spawnSync(node.berthCommand('serve')[0]!, node.berthCommand('serve').slice(1), { timeout: 60_000 });
      const sound = readFileSync(node.configFile, 'utf8');
      for (const mistake of [
        'root = 3',
        'root = [',
        'rot = "/x"',
        '[runtime]\ndefault_handler = "nobody"',
        '[network]\noverlay = "vxlan"',
      ]) {
        writeFileSync(node.configFile, mistake);
        const { status, stderr } = serve();
        assert.equal(status, 78, `${mistake}: ${String(stderr)}`);
        assert.match(String(stderr), /^berth: /, mistake);
      }
      // A file stands where the directory has to be.
      writeFileSync(node.configFile, sound.replace(/^state = .*$/m, `state = "${node.configFile}"`));
      const { status, stderr } = serve();
      assert.equal(status, 1, String(stderr));
      writeFileSync(node.configFile, sound);
    } finally {
      await node.destroy();
    }
  });
});
