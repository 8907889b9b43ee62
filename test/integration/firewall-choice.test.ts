import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFile } from '../../native/flock.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { type FirewallSetting, openFirewall } from '../../network/firewall.ts';
import { Iptables } from '../../network/iptables.ts';
import { IptablesRules } from '../../network/iptables-rules.ts';
import type { RuleSet } from '../../network/rule-text.ts';
import { flush, hasLegacyTables, onNode } from '../fakes/firewalls.ts';
import { NodeNetworkRig, until } from '../fakes/node-network.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';

const SET: RuleSet = { family: 4, bridge: 'berth0', overlay: '', ranges: ['10.1.0.0/24'], hostPorts: [] };

describeInOwnNamespaces('the choice of a firewall backend', import.meta.url, () => {
  let exits: ExitWatcher;
  let directory: string;
  const path = process.env['PATH']!;
  before(async () => {
    exits = await ExitWatcher.start();
    directory = mkdtempSync(join(tmpdir(), 'berth-firewall-'));
  });
  after(async () => {
    await exits.close();
    rmSync(directory, { recursive: true });
  });
  afterEach(() => {
    process.env['PATH'] = path;
    flush();
  });

  const chosen = async (setting: FirewallSetting = 'auto'): Promise<{ kind: string; why: string }> => {
    const { kind, why, close } = await openFirewall(setting, exits);
    close();
    return { kind, why };
  };
  /** Only these programs are installed. */
  const installed = (name: string, programs: Record<string, string>): void => {
    const bin = join(directory, name);
    mkdirSync(bin);
    for (const [program, target] of Object.entries(programs)) symlinkSync(target, join(bin, program));
    process.env['PATH'] = bin;
  };

  it('takes iptables where it is installed, and nf_tables itself where it is not', async () => {
    assert.equal((await chosen()).kind, 'iptables');
    process.env['PATH'] = '/nowhere';
    assert.deepEqual(await chosen(), { kind: 'nftables', why: 'iptables is not installed' });
    assert.equal((await chosen('iptables')).kind, 'iptables', 'what the configuration names');
  });

  if (hasLegacyTables()) {
    it('takes the legacy variant where other programs keep their rules in it', async () => {
      onNode('iptables-legacy', '-t', 'nat', '-A', 'POSTROUTING', '-s', '198.51.100.0/24', '-j', 'ACCEPT');
      const { kind, why } = await chosen();
      assert.equal(kind, 'iptables-legacy');
      assert.match(why, /other programs keep 1 rules in the legacy tables and 0 in the newer ones/);
      for (const port of ['1', '2'])
        onNode('iptables', '-A', 'INPUT', '-p', 'tcp', '--dport', port, '-j', 'ACCEPT');
      assert.equal((await chosen()).kind, 'iptables', 'more of them are in the newer ones');
    });

    it('does not take rules of its own for those of others', async () => {
      const legacy = await openFirewall('iptables-legacy', exits);
      await legacy.rules[0]!.ensure(SET);
      legacy.close();
      assert.equal((await chosen()).kind, 'iptables');
    });

    it('takes an iptables that is legacy by itself as what it is', async () => {
      const legacy = '/usr/sbin/xtables-legacy-multi';
      const names = ['iptables', 'ip6tables'].flatMap((name) => [`${name}-save`, `${name}-restore`]);
      installed('old', Object.fromEntries(names.map((name) => [name, legacy])));
      for (const setting of ['auto', 'iptables-legacy'] as const) {
        const firewall = await openFirewall(setting, exits);
        assert.deepEqual(firewall.missing, setting === 'auto' ? [] : firewall.missing);
        await firewall.rules[0]!.ensure(SET);
        for (const other of firewall.others) assert.equal(await other.clear(), false, 'its own stay');
        firewall.close();
        process.env['PATH'] = `${process.env['PATH']}:${path}`;
        assert.match(onNode('iptables-legacy-save'), /BERTH-MASQ/);
        process.env['PATH'] = join(directory, 'old');
      }
    });

    describe('with the lock of iptables held by another program', () => {
      const restore = (seconds: number): Promise<boolean> =>
        new IptablesRules(new Iptables(exits, 4, 'legacy', seconds)).ensure(SET);

      it('says so when it takes longer than it waits', async () => {
        using _lock = await lockFile('/run/xtables.lock', 5000);
        await assert.rejects(restore(1), (error: Error) => {
          assert.match(error.message, /iptables-legacy-restore found the rules locked by another program/);
          assert.match(JSON.stringify(error), /"unavailable"/);
          return true;
        });
      });

      it('goes on when it is free again in time', async () => {
        const lock = await lockFile('/run/xtables.lock', 5000);
        let wrote = false;
        const writing = restore(20).then((done) => (wrote = done));
        await new Promise((resolve) => setTimeout(resolve, 300));
        assert.equal(wrote, false);
        lock[Symbol.dispose]();
        await writing;
        assert.equal(wrote, true);
      });

      it('lets pods without host ports pass', async () => {
        const rig = await NodeNetworkRig.open();
        try {
          rig.firewall = 'iptables-legacy';
          const network = await rig.network('10.1.0.0/24');
          await network.start();
          using _lock = await lockFile('/run/xtables.lock', 5000);
          const pods = Array.from({ length: 5 }, (_, index) => rig.pod(`p${index}`));
          await Promise.all(pods.map(async (pod) => await network.attach(pod)));
          await Promise.all(pods.map(async (pod) => await network.detach(pod, undefined)));
        } finally {
          await rig.close();
        }
      });
    });
  }

  it('serves pods with host ports where no program for rules is installed', async () => {
    process.env['PATH'] = '/nowhere';
    const rig = await NodeNetworkRig.open();
    try {
      rig.firewall = 'auto';
      const network = await rig.network('10.1.0.0/24');
      await network.start();
      assert.equal(network.status().ready, true, network.status().message);
      const port = { protocol: 'tcp', hostPort: 8080, containerPort: 80, hostIp: '' } as const;
      await network.attach(rig.pod('web', [port]));
      process.env['PATH'] = path;
      await until(() =>
        /tcp \. 8080 comment "berth:web"/.test(onNode('nft', 'list', 'table', 'ip', 'berth')),
      );
    } finally {
      process.env['PATH'] = path;
      await rig.close();
    }
  });
});
