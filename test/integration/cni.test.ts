import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { linkNames } from '../../network/link-names.ts';
import type { Attachment, PodNetwork } from '../../network/pod-network.ts';
import { OWN_TYPES } from '../../network/plugins/own-plugins.ts';
import { dial, NodeNetworkRig, runIn, until } from '../fakes/node-network.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';

describeInOwnNamespaces('CNI networks', import.meta.url, () => {
  let rig: NodeNetworkRig;
  beforeEach(async () => {
    rig = await NodeNetworkRig.open();
  });
  afterEach(async () => {
    await rig.close();
    for (const name of linkNames()) if (name !== 'lo') spawnSync('ip', ['link', 'del', name]);
    spawnSync('iptables', ['-t', 'nat', '-F']);
  });

  const configure = (file: string, list: object): void =>
    writeFileSync(join(rig.confDir, file), JSON.stringify({ name: 'pods', ...list }));
  const rows = (): number => rig.records.table('cni-attachments').all().length;
  /** A plugin of ours beside Debian's, that does what `script` says. */
  const plugin = (name: string, script: string): string => {
    const bin = join(rig.directory, 'bin');
    mkdirSync(bin, { recursive: true });
    const versions = `{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0"]}`;
    const text = `#!/bin/sh\nconfig=$(cat)\necho "$CNI_COMMAND $CNI_CONTAINERID" >> ${rig.directory}/calls\n[ $CNI_COMMAND = VERSION ] && { echo '${versions}'; exit 0; }\n${script}\n`;
    writeFileSync(join(bin, name), text, { mode: 0o755 });
    return bin;
  };
  const calls = (): string[] =>
    readFileSync(join(rig.directory, 'calls'), 'utf8')
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('VERSION'));
  const GIVES = `[ $CNI_COMMAND = ADD ] && echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.0.2/24"}]}'; exit 0`;

  it("runs Debian's plugins, and leaves nothing after DEL", async () => {
    const leases = join(rig.directory, 'leases');
    configure('10-pods.conflist', {
      cniVersion: '1.0.0',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni0',
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            dataDir: leases,
            ranges: [[{ subnet: '10.22.0.0/24' }]],
            routes: [{ dst: '0.0.0.0/0' }],
          },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    });
    const network = await rig.network('', { execPlugins: [...OWN_TYPES] });
    await network.start();
    assert.deepEqual(network.status(), { ready: true, reason: '', message: '' });
    const a = rig.pod('aaaa', [{ protocol: 'tcp', hostPort: 8080, containerPort: 80, hostIp: '' }]);
    const b = rig.pod('bbbb');
    const [atA, atB] = [await network.attach(a), await network.attach(b)];
    assert.deepEqual(atA.addresses, ['10.22.0.2']);
    assert.match(await runIn(a.netnsPath, ['ip', 'link', 'show', 'lo']), /UP/);
    rig.serve(a.netnsPath, 80, 'a');
    assert.equal(await dial(b.netnsPath, '10.22.0.2', 80), 'a 10.22.0.3');
    assert.match(await dial(undefined, '127.0.0.1', 8080), /^a /);
    await network.detach(a, atA);
    await network.detach(b, atB);
    await network.detach(b, atB);
    const saved = spawnSync('iptables-save', { encoding: 'utf8' }).stdout;
    assert.doesNotMatch(saved, /aaaa|bbbb|10\.22\.0\.[23]/);
    assert.deepEqual([...linkNames()].sort(), ['cni0', 'lo']);
    assert.deepEqual(
      readdirSync(join(leases, 'pods')).filter((name) => /^\d/.test(name)),
      [],
    );
    assert.equal(rows(), 0);
  });

  describe('with plugins in process', () => {
    const list = (ranges: object[][]): object => ({
      cniVersion: '1.0.0',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni0',
          isDefaultGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: { type: 'host-local', dataDir: join(rig.directory, 'leases'), ranges },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
        { type: 'firewall' },
      ],
    });
    const held = (): string[] =>
      readdirSync(join(rig.directory, 'leases', 'pods')).filter((name) => /^\d/.test(name));
    // Nothing but ours: an executable would not be found.
    const ours = { binDirs: ['/nonexistent'], pollMs: 20 };
    const PORT = { protocol: 'tcp', hostPort: 8080, containerPort: 80, hostIp: '' } as const;

    it('serves pods, reached by localhost, by the node, by each other and by themselves', async () => {
      configure('10-pods.conflist', list([[{ subnet: '10.22.0.0/24' }], [{ subnet: 'fd00:22::/64' }]]));
      const network = await rig.network('', ours);
      await network.start();
      assert.deepEqual(network.status(), { ready: true, reason: '', message: '' });
      const [a, b] = [rig.pod('aaaa', [PORT]), rig.pod('bbbb')];
      const [atA, atB] = [await network.attach(a), await network.attach(b)];
      assert.deepEqual(atA.addresses, ['10.22.0.2', 'fd00:22::2']);
      rig.serve(a.netnsPath, 80, 'a');
      const outside = rig.outside();
      assert.equal(await dial(b.netnsPath, '10.22.0.2', 80), 'a 10.22.0.3');
      assert.equal(await dial(b.netnsPath, 'fd00:22::2', 80), 'a fd00:22::3');
      assert.match(await dial(undefined, '127.0.0.1', 8080), /^a /);
      assert.equal(await dial(outside, '192.0.2.1', 8080), 'a 192.0.2.2');
      assert.match(await dial(b.netnsPath, '192.0.2.1', 8080), /^a /);
      assert.match(await dial(a.netnsPath, '192.0.2.1', 8080), /^a /);
      for (const [pod, at] of [
        [a, atA],
        [b, atB],
      ] as const) {
        await network.detach(pod, at);
        rig.dropNetns(pod.netnsPath);
      }
      // The server's socket still holds the first one's namespace: its link is deleted in the end.
      await until(() => rows() === 0, 12_000);
      assert.deepEqual(held(), []);
      assert.deepEqual([...linkNames()].sort(), ['cni0', 'lo', 'outside']);
      assert.doesNotMatch(
        spawnSync('iptables-save', { encoding: 'utf8' }).stdout,
        /aaaa|bbbb|10\.22\.0\.[23]/,
      );
    });

    it('keeps an address while the old namespace lives, and goes on after a restart', async () => {
      configure(
        '10-pods.conflist',
        list([[{ subnet: '10.22.0.0/29', rangeStart: '10.22.0.2', rangeEnd: '10.22.0.2' }]]),
      );
      const network = await rig.network('', ours);
      await network.start();
      const a = rig.pod('aaaa', [PORT]);
      const atA = await network.attach(a);
      await network.detach(a, atA);
      // Its port is free at once for others, its address is not: the link is still there.
      await until(() => !spawnSync('iptables-save', { encoding: 'utf8' }).stdout.includes('8080'));
      assert.deepEqual(held(), ['10.22.0.2']);
      await assert.rejects(network.attach(rig.pod('bbbb')), /no IP addresses available/);
      await network.close();
      rig.dropNetns(a.netnsPath);
      const next = await rig.network('', ours);
      await next.start();
      await next.gc(new Set());
      await until(() => rows() === 0);
      const c = rig.pod('cccc');
      assert.deepEqual((await next.attach(c)).addresses, ['10.22.0.2']);
      await next.detach(c, undefined);
      rig.dropNetns(c.netnsPath);
      await until(() => rows() === 0);
    });

    it('deletes a link whose namespace somebody holds', async () => {
      configure('10-pods.conflist', list([[{ subnet: '10.22.0.0/24' }]]));
      const network = await rig.network('', ours);
      await network.start();
      const a = rig.pod('aaaa');
      await network.detach(a, await network.attach(a));
      await until(() => rows() === 0, 12_000);
      assert.deepEqual([...linkNames()].sort(), ['cni0', 'lo']);
    });
  });

  it('passes on what a plugin says, and keeps nothing of a pod that failed', async () => {
    const bin = plugin(
      'picky',
      `[ $CNI_COMMAND = DEL ] && exit 0; echo '{"code":104,"msg":"no such pool"}'; exit 1`,
    );
    configure('10-pods.conf', { cniVersion: '1.0.0', type: 'picky' });
    const network = await rig.network('', { binDirs: [bin] });
    await assert.rejects(network.attach(rig.pod('p')), {
      kind: 'internal',
      message: /CNI plugin picky: ADD failed: code 104: no such pool/,
    });
    assert.deepEqual(calls(), ['ADD p', 'DEL p']);
    assert.equal(rows(), 0);
  });

  it('detaches with the configuration of the ADD; a plugin that is gone is a debt until it is back', async () => {
    const bin = plugin('steady', GIVES);
    configure('10-pods.conflist', { cniVersion: '1.0.0', plugins: [{ type: 'steady', pool: 'blue' }] });
    const network = await rig.network('', { binDirs: [bin] });
    const pod = rig.pod('p');
    const attachment = await network.attach(pod);
    rmSync(join(rig.confDir, '10-pods.conflist'));
    renameSync(join(bin, 'steady'), join(bin, 'away'));
    rig.dropNetns(pod.netnsPath);
    await assert.rejects(network.detach(pod, attachment), {
      kind: 'unavailable',
      message: /executable is missing/,
    });
    assert.equal(rows(), 1);
    renameSync(join(bin, 'away'), join(bin, 'steady'));
    await network.detach(pod, undefined);
    assert.deepEqual(calls(), ['ADD p', 'DEL p']);
    assert.equal(rows(), 0);
    await network.detach(pod, undefined);
  });

  it('detaches by the attachment alone when the record is lost', async () => {
    const bin = plugin('steady', GIVES);
    configure('10-pods.conf', { cniVersion: '1.0.0', type: 'steady' });
    const network = await rig.network('', { binDirs: [bin] });
    const pod = rig.pod('p');
    const attachment = JSON.parse(JSON.stringify(await network.attach(pod))) as Attachment;
    rig.records.table('cni-attachments').delete('p');
    await network.detach(pod, attachment);
    assert.deepEqual(calls(), ['ADD p', 'DEL p']);
  });

  it('finds a pod again whose ADD a kill -9 has cut off', async () => {
    const bin = plugin('slow', `[ $CNI_COMMAND = DEL ] && exit 0; touch ${rig.directory}/adding; sleep 1`);
    configure('10-pods.conf', { cniVersion: '1.0.0', type: 'slow' });
    const config = { confDir: rig.confDir, binDirs: [bin], execPlugins: [], podCidr: '', bridge: 'berth0' };
    const script = `
      import { existsSync } from 'node:fs';
      import { SILENT } from ${JSON.stringify(import.meta.resolve('../../ground/log.ts'))};
      import { openNetwork } from ${JSON.stringify(import.meta.resolve('../../network/open-network.ts'))};
      import { NodeNetworkRig, until } from ${JSON.stringify(import.meta.resolve('../fakes/node-network.ts'))};
      const rig = await NodeNetworkRig.open();
      const { records, exits } = rig;
      const network = await openNetwork({ records, exits, log: SILENT, config: ${JSON.stringify(config)} });
      void network.attach(rig.pod('p'));
      await until(() => existsSync(${JSON.stringify(`${rig.directory}/adding`)}));
      console.log(rig.directory);
      process.kill(process.pid, 'SIGKILL');`;
    const file = join(rig.directory, 'killed.mts');
    writeFileSync(file, script);
    const killed = spawnSync(process.execPath, [file], { encoding: 'utf8' });
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    rig.takeOver(killed.stdout.trim());
    assert.equal(rows(), 1);
    const network = await rig.network('', { binDirs: [bin] });
    await network.gc(new Set());
    assert.deepEqual(calls(), ['ADD p', 'DEL p']);
    assert.equal(rows(), 0);
  });

  it('chooses again when a configuration comes or goes; pods leave the way they came', async () => {
    const bin = plugin('steady', GIVES);
    const network = await rig.network('10.1.0.0/24', { binDirs: [bin], pollMs: 20 });
    await network.start();
    const [a, b, c] = [rig.pod('a'), rig.pod('b'), rig.pod('c')];
    const atA = await network.attach(a);
    assert.deepEqual([atA.network, atA.addresses], ['bridge', ['10.1.0.2']]);
    configure('10-pods.conf', { cniVersion: '1.0.0', type: 'steady' });
    const atB = await attachWhen(network, () => network.attach(b), 'cni');
    assert.deepEqual(atB.addresses, ['10.9.0.2']);
    rmSync(join(rig.confDir, '10-pods.conf'));
    await attachWhen(network, () => network.attach(c), 'bridge');
    await network.detach(b, atB);
    await network.detach(a, atA);
    await network.detach(c, undefined);
    assert.equal(rows(), 0);
    assert.deepEqual(
      rig.records
        .table<{ state: string }>('addresses')
        .all()
        .filter(({ value }) => value.state === 'held'),
      [],
    );

    async function attachWhen(
      on: PodNetwork,
      attach: () => Promise<Attachment>,
      by: string,
    ): Promise<Attachment> {
      // The choice is seen through a status without trouble; give it a few polls.
      await new Promise((resolve) => setTimeout(resolve, 150));
      await until(() => on.status().ready);
      const attachment = await attach();
      assert.equal(attachment.network, by);
      return attachment;
    }
  });

  it('stays ready while a plugin is away for a while, and running pods stay when it is away for long', async () => {
    const says = join(rig.directory, 'says');
    const bin = plugin(
      'flapping',
      `[ $CNI_COMMAND = STATUS ] && { cat ${says}; [ -s ${says} ] && exit 1; exit 0; }; ${GIVES}`,
    );
    // The script speaks 1.0.0; STATUS comes with 1.1.0.
    const file = join(bin, 'flapping');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"1.0.0"]', '"1.0.0","1.1.0"]'));
    writeFileSync(says, '');
    configure('10-pods.conf', { cniVersion: '1.1.0', type: 'flapping' });
    const network = await rig.network('', { binDirs: [bin], pollMs: 10, graceMs: 1500 });
    await network.start();
    const pod = rig.pod('p');
    const attachment = await network.attach(pod);
    const asked = (): number => calls().filter((line) => line.startsWith('STATUS')).length;
    const many = async (): Promise<void> => {
      const before = asked();
      await until(() => asked() >= before + 5, 20_000);
    };
    writeFileSync(says, '{"code":50,"msg":"restarting"}');
    const begun = performance.now();
    let worst = true;
    while (performance.now() - begun < 900) {
      worst &&= network.status().ready;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(worst, 'it did not flap');
    writeFileSync(says, '');
    await many();
    assert.equal(network.status().ready, true);
    writeFileSync(says, '{"code":50,"msg":"gone for good"}');
    await until(() => !network.status().ready, 20_000);
    assert.match(network.status().message, /flapping: STATUS failed: code 50: gone for good/);
    assert.deepEqual(
      calls().filter((line) => line.startsWith('DEL')),
      [],
    );
    writeFileSync(says, '');
    await until(() => network.status().ready, 20_000);
    await network.detach(pod, attachment);
  });

  it('says in its status what stands in the way', async () => {
    const network = await rig.network('', { binDirs: [join(rig.directory, 'bin')], pollMs: 20 });
    await network.start();
    assert.match(network.status().message, /No network is configured: put a CNI list into .*net\.d, or set/);
    writeFileSync(join(rig.confDir, '00-bad.conflist'), '{');
    configure('10-pods.conf', { cniVersion: '1.0.0', type: 'steady' });
    await until(() => /executable is missing/.test(network.status().message));
    assert.match(
      network.status().message,
      /CNI plugin steady: The executable is missing; install it in one of .*bin; 00-bad.conflist was passed over/,
    );
    assert.equal(network.status().ready, false);
    plugin('steady', GIVES);
    await until(() => network.status().ready);
    assert.match(network.status().message, /00-bad.conflist was passed over: .*Not JSON/);
    assert.ok(existsSync(join(rig.directory, 'calls')));
  });
});
