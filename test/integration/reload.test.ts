import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'smol-toml';
import type { DaemonCensus } from '../../cri/census.ts';
import { BUSYBOX, runPod, shell } from '../pods.ts';
import { useNode } from '../use-node.ts';

type Tables = Record<string, Record<string, unknown>>;

describe('SIGHUP reads the configuration again', () => {
  const suite = useNode();
  let original: string;
  before(() => (original = readFileSync(suite.node.configFile, 'utf8')));
  afterEach(async () => {
    write(original);
    await reload();
  });

  const census = async (): Promise<DaemonCensus> =>
    JSON.parse((await suite.node.client.call('Census', {})).json) as DaemonCensus;

  /** As editors do it: a daemon that reads at that moment finds the one or the other. */
  function write(text: string): void {
    const { configFile } = suite.node;
    writeFileSync(`${configFile}.new`, text);
    renameSync(`${configFile}.new`, configFile);
  }

  /** Sends the signal and resolves when the daemon has said how it went. */
  async function reload(): Promise<string> {
    const { node } = suite;
    const before = node.log.length;
    process.kill(node.pid, 'SIGHUP');
    for (let tries = 0; tries < 500; tries++) {
      const said = node.log.slice(before);
      if (/The configuration (was read again|stays as it is)/.test(said)) return said;
      await sleep(20);
    }
    throw new Error(`No word of a reload:\n${node.logTail()}`);
  }

  /** Writes these keys over the node's configuration and reloads. */
  async function change(changes: Tables): Promise<string> {
    const config = parse(original) as Tables;
    for (const [section, keys] of Object.entries(changes)) config[section] = { ...config[section], ...keys };
    write(stringify(config));
    return await reload();
  }

  it('and takes what a running daemon can take', async () => {
    const { node } = suite;
    const pod = await runPod(node, 'before', ['sleep', '1000']);
    const nofile = (container: string): Promise<string> => shell(node, container, 'ulimit -n');
    const earlier = await nofile(pod.container);
    const said = await change({
      runtime: { default_ulimits: ['nofile=77:88'] },
      image: { pinned: [BUSYBOX] },
      log: { level: 'debug' },
    });
    assert.match(said, /"changed":\["runtime.default_ulimits","image.pinned","log.level"\]/);
    const image = { image: BUSYBOX };
    await assert.rejects(node.client.call('RemoveImage', { image }), { code: 'FAILED_PRECONDITION' });
    assert.equal((await node.client.call('ImageStatus', { image })).image!.pinned, true);
    const later = await runPod(node, 'after', ['sleep', '1000']);
    assert.equal(await nofile(later.container), '77\n');
    assert.equal(await nofile(pod.container), earlier, 'what runs keeps what it has');
    assert.match(node.log, /"level":"debug".*"rpc":"RemoveImage"/);
  });

  it('and follows other directories of CNI', async () => {
    const { node } = suite;
    const [lists, programs] = [join(node.directory, 'other-lists'), join(node.directory, 'other-programs')];
    for (const directory of [lists, programs]) mkdirSync(directory);
    for (const type of ['bridge', 'host-local']) copyFileSync(`/usr/lib/cni/${type}`, join(programs, type));
    const ipam = { type: 'host-local', subnet: '10.99.0.0/24' };
    const list = {
      cniVersion: '1.0.0',
      name: 'other',
      plugins: [{ type: 'bridge', bridge: 'other0', ipam }],
    };
    writeFileSync(join(lists, '10-other.conflist'), JSON.stringify(list));
    await change({
      network: {
        conf_dir: lists,
        bin_dirs: [programs],
        exec_plugins: ['bridge', 'host-local'],
      },
    });
    const { sandbox } = await runPod(node, 'other', ['sleep', '1000']);
    const { status } = await node.client.call('PodSandboxStatus', { podSandboxId: sandbox });
    assert.match(status!.network!.ip, /^10\.99\.0\./);
    await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
    await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
    await node.exec(['ip', 'link', 'del', 'other0']);
    await node.exec(['rm', '-rf', '/var/lib/cni']);
  });

  it('and moves the metrics; where the new address is taken, they stay where they are', async () => {
    const { node } = suite;
    const page = (port: number): Promise<string> =>
      node.exec([
        'sh',
        '-c',
        `printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 127.0.0.1 ${port}`,
      ]);
    await change({ metrics: { listen: '127.0.0.1:9555' } });
    assert.match(await page(9555), /^berth_/m);
    const moved = { metrics: 'http://127.0.0.1:9555/metrics', page: 'http://127.0.0.1:9555/' };
    assert.deepEqual((await census()).urls, moved);
    await assert.rejects(page(9464));
    const said = await change({ metrics: { listen: '127.0.0.2:22.' } });
    assert.match(said, /stays as it is/);
    assert.match(await page(9555), /^berth_/m);
    // An address that this node does not have.
    assert.match(await change({ metrics: { listen: '192.0.2.1:9464' } }), /"failed":\["metrics.listen"\]/);
    assert.match(await page(9555), /^berth_/m);
    assert.match((await census()).configuration.trouble, /metrics.listen could not be taken/);
  });

  it('and says what waits for a restart, until it has been restarted', async () => {
    const { node } = suite;
    const said = await change({
      runtime: { max_children: 7 },
      log: { level: 'debug' },
    });
    assert.match(said, /"level":"warn".*"changed":\["log.level"\].*"needRestart":\["runtime.max_children"\]/);
    assert.match(await node.berth('status'), /Waits +for a restart of the daemon: runtime.max_children/);
    // Told again, it is not forgotten.
    assert.match(await reload(), /"needRestart":\["runtime.max_children"\]/);
    await node.restart();
    assert.deepEqual((await census()).configuration.needRestart, []);
    write(original);
    await node.restart();
  });

  it('and stays as it is when the files have mistakes, which it says', async () => {
    const { node } = suite;
    const before = (await census()).configuration.readAt;
    for (const mistake of ['[', 'rot = "/x"', '[runtime]\ndefault_handler = "nobody"']) {
      write(mistake);
      assert.match(await reload(), /"level":"error".*stays as it is/);
    }
    write(original);
    const { readAt, trouble } = (await census()).configuration;
    assert.equal(readAt, before);
    assert.match(trouble, /names nobody, which is no handler/);
    assert.match(
      await node.berth('status'),
      /Configuration +not read again: runtime.default_handler names nobody/,
    );
    await reload();
    assert.equal((await census()).configuration.trouble, '');
  });

  it('once more after what came meanwhile, and survives a storm of signals', async () => {
    const { node } = suite;
    const pod = await runPod(node, 'storm', ['sleep', '1000']);
    for (let round = 0; round < 200; round++) {
      process.kill(node.pid, 'SIGHUP');
      process.kill(node.pid, 'SIGPIPE');
      if (round % 20 === 0) assert.equal(await shell(node, pod.container, 'echo yes'), 'yes\n');
    }
    // The words of the storm's last reloads may come first.
    const before = node.log.length;
    await change({ log: { level: 'debug' } });
    for (let tries = 0; !/"changed":\["log.level"\]/.test(node.log.slice(before)); tries++) {
      assert.ok(tries < 500, 'what was written last is in force');
      await sleep(20);
    }
  });
});
