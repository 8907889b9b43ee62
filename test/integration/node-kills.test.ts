import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { install, rollback } from '../../deploy/node/install.ts';
import { settingsFrom } from '../../deploy/node/settings.ts';
import { uninstall } from '../../deploy/node/uninstall.ts';
import { FakeHost, makeRelease, pictureOf } from '../fakes/host.ts';

describe('the installer of a node, killed', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'berth-node-'));
  const one = makeRelease(join(scratch, 'one'), '1.0.0');
  const two = makeRelease(join(scratch, 'two'), '2.0.0');
  let root: string;
  let host: FakeHost;
  after(() => rmSync(scratch, { recursive: true }));

  function fresh(): void {
    root = mkdtempSync(join(scratch, 'n'));
    for (const path of ['etc/berth', 'etc/systemd/system', 'opt/cni/bin', 'run', 'var/lib', 'var/cache'])
      mkdirSync(join(root, path), { recursive: true });
    for (const path of ['etc/systemd/system/berth.service', 'etc/crictl.yaml', 'opt/cni/bin/bridge'])
      writeFileSync(join(root, path), `${path} of others`, { mode: 0o640 });
    host = new FakeHost(root);
  }

  const settings = settingsFrom({ crictl: true, wait: { seconds: 1 } });
  const other = settingsFrom({
    config: { log: { level: 'debug' } },
    cni: { replace: true },
    wait: { seconds: 1 },
  });
  const put = (from: string) => install(host.node(), { from, settings });
  const flows: [name: string, prepare: () => Promise<unknown>, act: (killAt?: number) => Promise<unknown>][] =
    [
      ['an installation', async () => {}, (at) => install(host.node(at), { from: one, settings })],
      ['an upgrade', () => put(one), (at) => install(host.node(at), { from: two, settings: other })],
      [
        'an upgrade that does not serve',
        async () => {
          await put(one);
          host.behaviours.set('2.0.0', 'exits');
        },
        (at) => assert.rejects(install(host.node(at), { from: two, settings: other })),
      ],
      ['a rollback', () => put(one).then(() => put(two)), (at) => rollback(host.node(at), settings)],
      ['an uninstallation', () => put(one).then(() => put(two)), (at) => uninstall(host.node(at))],
    ];

  for (const [name, prepare, act] of flows)
    it(`ends where ${name} does that nobody disturbed, whichever change it was killed before`, async function () {
      this.timeout(120_000);
      fresh();
      await prepare();
      await act();
      const wanted = pictureOf(root);
      const changes = host.count;
      await host[Symbol.asyncDispose]();
      assert.ok(changes > 5, `${changes} changes`);
      for (let killAt = 0; killAt < changes; killAt++) {
        fresh();
        await prepare();
        await act(killAt).catch(() => {});
        const at = `killed before change ${killAt}: ${host.changes.at(-1)}`;
        assert.ok(host.killed, at);
        // A rollback that is done is not done twice.
        if (
          name !== 'a rollback' ||
          readlinkSync(join(root, 'opt/berth/current')) !== 'releases/1.0.0' ||
          host.node().state.change !== undefined
        )
          await act().catch((error: unknown) => assert.fail(`${at}: ${String(error)}`));
        assert.deepEqual(pictureOf(root), wanted, at);
        await host[Symbol.asyncDispose]();
        rmSync(root, { recursive: true });
      }
    });
});
