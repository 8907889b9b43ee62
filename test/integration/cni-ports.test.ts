import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile } from '../../native/flock.ts';
import { linkNames } from '../../network/link-names.ts';
import type { AttachRequest, HostPort, PodNetwork } from '../../network/pod-network.ts';
import { OWN_TYPES } from '../../network/plugins/own-plugins.ts';
import { dial, NodeNetworkRig, until } from '../fakes/node-network.ts';
import { followFlow } from '../fakes/udp-flow.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';

const FOREIGN = 5000;
const port = (hostPort: number, more: Partial<HostPort> = {}): HostPort => ({
  protocol: 'tcp',
  hostPort,
  containerPort: 80,
  hostIp: '',
  ...more,
});

describeInOwnNamespaces('host ports of CNI lists', import.meta.url, () => {
  let rig: NodeNetworkRig;
  beforeEach(async () => {
    rig = await NodeNetworkRig.open();
  });
  afterEach(async () => {
    await rig.close();
    for (const name of linkNames()) if (name !== 'lo') spawnSync('ip', ['link', 'del', name]);
    spawnSync('iptables', ['-t', 'nat', '-F']);
    spawnSync('iptables', ['-t', 'nat', '-X']);
  });

  const open = async (execPlugins: string[] = [], ipMasq = true): Promise<PodNetwork> => {
    const bridge = { type: 'bridge', bridge: 'cni0', isDefaultGateway: true, ipMasq, hairpinMode: true };
    const ranges = [[{ subnet: '10.22.0.0/24' }]];
    const ipam = { type: 'host-local', dataDir: join(rig.directory, 'leases'), ranges };
    const plugins = [
      { ...bridge, ipam },
      { type: 'portmap', capabilities: { portMappings: true } },
    ];
    const list = { cniVersion: '1.0.0', name: 'pods', plugins };
    writeFileSync(join(rig.confDir, '10-pods.conflist'), JSON.stringify(list));
    const network = await rig.network('', { execPlugins, pollMs: 20 });
    await network.start();
    return network;
  };
  const rules = (): string => spawnSync('iptables-save', { encoding: 'utf8' }).stdout;
  const rows = (): number => rig.records.table('cni-attachments').all().length;

  for (const [way, execPlugins] of [
    ['in process', []],
    ['by exec', [...OWN_TYPES]],
  ] as const)
    describe(`with plugins ${way}`, () => {
      it('belong to one pod at a time, whose name the error says', async () => {
        const network = await open([...execPlugins]);
        const a = rig.pod('a', [port(8080), port(8081, { hostIp: '127.0.0.1' })]);
        const atA = await network.attach(a);
        const before = rules();
        for (const taken of [port(8080), port(8080, { hostIp: '192.0.2.1' }), port(8081)])
          await assert.rejects(network.attach(rig.pod(`b${taken.hostPort}${taken.hostIp}`, [taken])), {
            kind: 'exists',
            message: /belongs to sandbox a \(pod default\/name-a\)/,
          });
        await assert.rejects(network.attach(rig.pod('c', [port(9), port(9)])), {
          kind: 'invalid',
          message: /9\/tcp is asked for twice/,
        });
        assert.equal(rules(), before, 'refused before anything was done');
        assert.equal(rows(), 1);
        const d = rig.pod('d', [port(8080, { protocol: 'udp' }), port(8081, { hostIp: '192.0.2.1' })]);
        await network.detach(d, await network.attach(d));
        await network.detach(a, atA);
      });

      it('are known after a restart, and free for the next pod at once', async () => {
        const network = await open([...execPlugins]);
        const a = rig.pod('a', [port(8080)]);
        const atA = await network.attach(a);
        await network.close();
        const next = await open([...execPlugins]);
        await assert.rejects(next.attach(rig.pod('b', [port(8080)])), { kind: 'exists' });
        await next.detach(a, atA);
        const c = rig.pod('c', [port(8080)]);
        const atC = await next.attach(c);
        rig.serve(c.netnsPath, 80, 'c');
        assert.match(await dial(undefined, '127.0.0.1', 8080), /^c /);
        assert.doesNotMatch(rules(), new RegExp(`${atA.addresses[0]}:80`));
        await next.detach(c, atC);
      });

      it('are served on their host address alone', async () => {
        const network = await open([...execPlugins]);
        const outside = rig.outside();
        const a = rig.pod('a', [port(8081, { hostIp: '192.0.2.1' }), port(8082, { hostIp: '127.0.0.1' })]);
        const atA = await network.attach(a);
        rig.serve(a.netnsPath, 80, 'a');
        assert.match(await dial(outside, '192.0.2.1', 8081), /^a /);
        assert.match(await dial(undefined, '127.0.0.1', 8082), /^a /);
        await assert.rejects(dial(outside, '192.0.2.1', 8082));
        await assert.rejects(dial(undefined, '127.0.0.1', 8081));
        await network.detach(a, atA);
      });

      it('that cannot lead to the pod are refused, and nothing is left', async () => {
        const network = await open([...execPlugins]);
        await assert.rejects(network.attach(rig.pod('a', [port(8080, { hostIp: '::1' })])), {
          kind: 'invalid',
          message: /\[::1\]:8080\/tcp: the pod has no IPv6 address/,
        });
        rig.dropNetns(join(rig.directory, 'netns-a'));
        await until(() => rows() === 0);
        const b = rig.pod('b', [port(8080)]);
        await network.detach(b, await network.attach(b));
      });
    });

  it('move a UDP flow that never pauses from the old pod to the new one', async () => {
    await followFlow(rig, await open());
  });

  it('keep no pod without host ports waiting for the lock of the rules', async () => {
    // The legacy variant alone has that lock.
    const programs = join(rig.directory, 'programs');
    mkdirSync(programs);
    for (const name of ['iptables-restore', 'iptables-save', 'ip6tables-restore', 'ip6tables-save'])
      symlinkSync('/usr/sbin/xtables-legacy-multi', join(programs, name));
    const path = process.env['PATH'];
    process.env['PATH'] = `${programs}:${path}`;
    try {
      const foreign = Array.from(
        { length: FOREIGN },
        (_, index) => `-A FOREIGN -d 192.1.${index >> 8}.${index & 255}/32 -j RETURN`,
      );
      const text = ['*nat', ':FOREIGN - [0:0]', ...foreign, 'COMMIT', ''].join('\n');
      const { status, stderr } = spawnSync('iptables-restore', ['--noflush'], {
        input: text,
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
      const network = await open([], false);
      const warm = rig.pod('warm', [port(9000)]);
      await network.detach(warm, await network.attach(warm));
      await until(() => !rules().includes('dport 9000'));
      const lock = await lockFile('/run/xtables.lock', 5000);
      const pods: AttachRequest[] = [];
      let mapped: Promise<unknown>;
      let settled = false;
      try {
        // More than are let in at once.
        const waiting = Array.from({ length: 12 }, (_, index) => rig.pod(`m${index}`, [port(8080 + index)]));
        mapped = Promise.all(
          waiting.map(async (pod) => await network.attach(pod).finally(() => (settled = true))),
        );
        mapped.catch(() => undefined);
        for (let index = 0; index < 20; index++) pods.push(rig.pod(`p${index}`));
        await Promise.all(pods.map(async (pod) => await network.attach(pod)));
        for (const pod of pods) await network.detach(pod, undefined);
        assert.equal(settled, false, 'the one with a host port waits for the lock');
      } finally {
        lock[Symbol.dispose]();
      }
      await mapped;
      assert.match(rules(), /dport 8080/);
      assert.match(rules(), /dport 8091/);
    } finally {
      spawnSync('iptables-restore', { input: '*nat\nCOMMIT\n' });
      process.env['PATH'] = path;
    }
  });
});
