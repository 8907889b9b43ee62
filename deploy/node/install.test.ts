import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeHost, makeRelease, pictureOf } from '../../test/fakes/host.ts';
import { install, rollback, type InstallOptions } from './install.ts';
import { settingsFrom } from './settings.ts';
import { nodeStatus } from './status.ts';
import { uninstall } from './uninstall.ts';

const OLD = new Date('2020-02-02T02:02:02Z');

describe('the installer of a node', () => {
  let scratch: string;
  let root: string;
  let host: FakeHost;
  let one: string;
  let two: string;

  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'berth-node-'));
    one = makeRelease(join(scratch, 'one'), '1.0.0');
    two = makeRelease(join(scratch, 'two'), '2.0.0');
    fresh();
  });
  afterEach(async () => {
    await host[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true });
  });

  /** A node that has a few things of its own. */
  function fresh(): void {
    root = mkdtempSync(join(scratch, 'n'));
    for (const path of [
      'etc/berth/berth.toml.d',
      'etc/systemd/system',
      'opt/cni/bin',
      'run',
      'var/lib',
      'var/cache',
    ])
      mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, 'etc/berth/berth.toml.d/90-own.toml'), '[log]\nlevel = "debug"\n');
    for (const [path, text] of [
      ['etc/systemd/system/berth.service', '[Service]\nExecStart=/usr/bin/berth serve\n'],
      ['etc/crictl.yaml', 'runtime-endpoint: unix:///run/containerd/containerd.sock\n'],
      ['opt/cni/bin/bridge', 'a bridge of others'],
    ] as const) {
      writeFileSync(join(root, path), text, { mode: 0o640 });
      utimesSync(join(root, path), OLD, OLD);
    }
    host = new FakeHost(root);
  }

  const settings = (more: object = {}) =>
    settingsFrom({ config: { log: { level: 'info' } }, crictl: true, wait: { seconds: 1 }, ...more });
  const put = (from: string, more: Partial<InstallOptions> = {}) =>
    install(host.node(), { from, settings: settings(), ...more });

  it('installs, says that it did, and changes nothing the second time', async () => {
    assert.equal(await put(one), 'installed');
    assert.equal(readlinkSync(join(root, 'opt/berth/current')), 'releases/1.0.0');
    const text = (path: string) => readFileSync(join(root, path), 'utf8');
    assert.match(
      text('etc/systemd/system/berth.service'),
      /^ExecStart=\/opt\/berth\/current\/bin\/berth serve$/m,
    );
    assert.match(
      text('etc/systemd/system/berth.service'),
      /^ExecReload=\/opt\/berth\/current\/bin\/berth config/m,
    );
    assert.equal(
      readlinkSync(join(root, 'etc/systemd/system/multi-user.target.wants/berth.service')),
      '/etc/systemd/system/berth.service',
    );
    assert.match(text('etc/berth/berth.toml.d/50-chart.toml'), /level = "info"/);
    assert.match(text('etc/crictl.yaml'), /unix:\/\/\/run\/berth\/berth\.sock/);
    assert.equal(text('opt/cni/bin/bridge'), 'a bridge of others');
    assert.match(text('opt/cni/bin/portmap'), /berth cni install/);
    assert.ok(host.said.some((line) => /plugins of others, which stay: bridge/.test(line)));
    const before = pictureOf(root);
    assert.equal(await put(one), 'unchanged');
    assert.equal(host.count, 0);
    assert.deepEqual(pictureOf(root), before);
  });

  it('keeps the release before, and goes back to it with its configuration', async () => {
    await put(one);
    const before = pictureOf(root);
    assert.equal(await put(two, { settings: settings({ config: {}, cni: { install: false } }) }), 'upgraded');
    assert.deepEqual(readdirSync(join(root, 'opt/berth/releases')), ['1.0.0', '2.0.0']);
    assert.ok(!existsSync(join(root, 'opt/cni/bin/portmap')), 'the plugin is no longer wanted');
    const back = await rollback(host.node(), settings());
    assert.equal(back.release, '1.0.0');
    assert.deepEqual(
      pictureOf(root).filter((line) => !line.includes('2.0.0')),
      before,
    );
    // And forth again: the two change places.
    assert.equal((await rollback(host.node(), settings())).release, '2.0.0');
  });

  it('lays another build of the same version beside it', async () => {
    await put(one);
    assert.equal(await put(makeRelease(join(scratch, 'other'), '1.0.0', 'other build')), 'upgraded');
    assert.match(readlinkSync(join(root, 'opt/berth/current')), /^releases\/1\.0\.0\+[0-9a-f]{12}$/);
  });

  for (const behaviour of ['exits', 'hangs', 'wrong-version'] as const)
    it(`rolls back by itself when the new release ${behaviour}, keeps the reason, and does not try again at once`, async () => {
      await put(one);
      const before = pictureOf(root);
      host.behaviours.set('2.0.0', behaviour);
      await assert.rejects(
        put(two),
        /Release 2\.0\.0 does not serve[\s\S]*its last words[\s\S]*1\.0\.0 serves again/,
      );
      assert.deepEqual(pictureOf(root), before);
      const status = await nodeStatus(host.node().files);
      assert.equal(status.release, '1.0.0');
      assert.equal(status.failed?.release, '2.0.0');
      assert.equal(status.daemon?.version, '1.0.0');
      await assert.rejects(put(two), /did not serve at [\s\S]*its last words[\s\S]*--retry/);
      host.behaviours.delete('2.0.0');
      assert.equal(await put(two, { retry: true }), 'upgraded');
    });

  it('takes all away again when the first release does not serve', async () => {
    const before = pictureOf(root);
    host.behaviours.set('1.0.0', 'exits');
    await assert.rejects(put(one), /does not serve[\s\S]*gone again/);
    assert.deepEqual(
      pictureOf(root).filter((line) => !/^\/opt\/berth\/? /.test(line)),
      before,
    );
    host.behaviours.clear();
    assert.equal(await put(one, { retry: true }), 'installed');
  });

  it('passes a rollback that cannot be done by when a third release comes', async () => {
    await put(one);
    host.behaviours.set('2.0.0', 'exits').set('1.0.0', 'exits');
    await assert.rejects(put(two), /1\.0\.0 does not serve again/);
    await assert.rejects(put(two), /1\.0\.0 does not serve again/);
    assert.equal(await put(makeRelease(join(scratch, 'three'), '3.0.0')), 'upgraded');
  });

  it('wants the network ready where it was, or where one is configured', async () => {
    host.behaviours.set('1.0.0', 'no-network').set('2.0.0', 'no-network');
    assert.equal(await put(one), 'installed');
    assert.equal(await put(two), 'upgraded');
    const wait = { seconds: 1, network: 'always' };
    const three = makeRelease(join(scratch, 'three'), '3.0.0');
    host.behaviours.set('3.0.0', 'no-network');
    await assert.rejects(put(three, { settings: settings({ wait }) }), /NetworkReady is false: NoNetwork/);
    const config = { network: { pod_cidr: '10.1.0.0/24' } };
    await assert.rejects(put(three, { settings: settings({ config }) }), /NetworkReady is false/);
  });

  it('checks keys of the configuration before anything is changed', async () => {
    const before = pictureOf(root);
    const wrong = (config: object, message: RegExp) =>
      assert.rejects(put(one, { settings: settings({ config }) }), message);
    await wrong(
      { log: { levl: 'info' } },
      /\/etc\/berth\/berth\.toml\.d\/50-chart\.toml: there is no key log\.levl, did you mean log\.level/,
    );
    writeFileSync(join(root, 'etc/berth/berth.toml.d/91-own.toml'), 'rot = 1\n');
    await wrong({}, /91-own\.toml: there is no key rot/);
    rmSync(join(root, 'etc/berth/berth.toml.d/91-own.toml'));
    assert.deepEqual(
      pictureOf(root).filter((line) => !/^\/opt\/berth\/? /.test(line)),
      before,
    );
    assert.throws(
      () => settings({ cni: { directory: 'opt' } }),
      /cni\.directory: has to be an absolute path/,
    );
    assert.throws(() => settings({ wiat: {} }), /wiat/);
  });

  it('refuses directories that hold no release', async () => {
    const empty = mkdtempSync(join(scratch, 'e'));
    await assert.rejects(put(empty), /holds no release/);
    writeFileSync(join(two, 'tsconfig.json'), '{}');
    await assert.rejects(put(two), /holds sources/);
    await assert.rejects(put(one, { upgradeOnly: true }), /Nothing is installed/);
    await assert.rejects(rollback(host.node(), settings()), /no release before/);
  });

  it('goes its way inside of the node, wherever links lead', async () => {
    rmSync(join(root, 'etc/systemd'), { recursive: true });
    mkdirSync(join(root, 'data/units/system'), { recursive: true });
    symlinkSync('/data/units', join(root, 'etc/systemd'));
    assert.equal(await put(one), 'installed');
    assert.ok(existsSync(join(root, 'data/units/system/berth.service')));
    symlinkSync('loop', join(root, 'loop'));
    assert.throws(() => host.node().files.read('/loop/x'), /circle of links/);
  });

  it('uninstalls: all that it made goes, what it replaced comes back', async () => {
    const before = pictureOf(root, /^$/);
    await put(one);
    await put(two, { settings: settings({ cni: { replace: true } }) });
    assert.match(readFileSync(join(root, 'opt/cni/bin/bridge'), 'utf8'), /berth cni install/);
    host.pods.push({ id: 'a', name: 'web', ready: true }, { id: 'b', name: 'done', ready: false });
    await assert.rejects(uninstall(host.node()), /1 pods run: default\/web; drain the node first/);
    assert.equal(host.count, 0);
    host.pods[0]!.ready = false;
    assert.deepEqual(await uninstall(host.node()), []);
    assert.equal(host.pods.length, 0);
    assert.deepEqual(pictureOf(root, /^$/), before);
    assert.equal(statSync(join(root, 'etc/crictl.yaml')).mtimeMs, OLD.getTime());
    assert.deepEqual(await uninstall(host.node()).catch(String), []);
  });

  it('leaves data when that is wished, and what others laid into its directories', async () => {
    rmSync(join(root, 'etc/berth'), { recursive: true });
    await put(one);
    writeFileSync(join(root, 'etc/berth/notes'), 'mine');
    const left = await uninstall(host.node(), { keepData: true });
    assert.deepEqual(left.sort(), [
      '/etc/berth: holds notes',
      '/run/berth: kept as asked for',
      '/var/cache/berth: kept as asked for',
      '/var/lib/berth: kept as asked for',
    ]);
    assert.ok(existsSync(join(root, 'var/lib/berth/berth.db')));
  });

  it('stops pods only when it is forced to', async () => {
    await put(one);
    host.pods.push({ id: 'a', name: 'web', ready: true });
    await uninstall(host.node(), { force: true });
    assert.equal(host.pods.length, 0);
  });
});
