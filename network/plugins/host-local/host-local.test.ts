import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callPlugin } from '../../../cni/plugin-call.ts';
import type { JsonObject } from '../../../cni/config-list.ts';
import type { Verb } from '../../../cni/plugin-runner.ts';
import { hostLocal } from './host-local.ts';

const REFERENCE = '/usr/lib/cni/host-local';
interface Answer {
  ips: { address: string; gateway?: string }[];
  routes?: unknown;
  dns?: unknown;
  code?: number;
  msg?: string;
}
type Way = (verb: Verb, id: string, config: JsonObject, args?: string) => Promise<Answer>;

const envOf = (id: string, args: string): Record<string, string> => ({
  CNI_CONTAINERID: id,
  CNI_NETNS: '/proc/self/ns/net',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: args,
});
const ours: Way = async (verb, id, config, args = '') => {
  const delegate = async (): Promise<never> => assert.fail('it delegates to nobody');
  const said = await callPlugin(hostLocal, { verb, env: envOf(id, args), config }, delegate);
  return (said === undefined ? undefined : JSON.parse(JSON.stringify(said))) as Answer;
};
const reference: Way = async (verb, id, config, args = '') => {
  const { stdout } = spawnSync(REFERENCE, {
    input: JSON.stringify(config),
    env: { ...envOf(id, args), CNI_COMMAND: verb, CNI_PATH: '/usr/lib/cni' },
    encoding: 'utf8',
  });
  const answer = (stdout === '' ? undefined : JSON.parse(stdout)) as Answer;
  if (answer?.code !== undefined) throw new Error(answer.msg);
  return answer;
};

describe('host-local', () => {
  let dataDir: string;
  beforeEach(() => (dataDir = mkdtempSync(join(tmpdir(), 'berth-ipam-'))));
  afterEach(() => rmSync(dataDir, { recursive: true }));
  const config = (ipam: JsonObject, more: JsonObject = {}): JsonObject => ({
    cniVersion: '1.0.0',
    name: 'pods',
    type: 'bridge',
    ...more,
    ipam: { type: 'host-local', dataDir, ...ipam },
  });
  const files = (): Record<string, string> =>
    Object.fromEntries(
      readdirSync(join(dataDir, 'pods'))
        .sort()
        .map((name) => [name, readFileSync(join(dataDir, 'pods', name), 'latin1')]),
    );
  const DUAL = {
    ranges: [[{ subnet: '10.1.0.0/28' }], [{ subnet: 'fd00:1::/120', rangeStart: 'fd00:1::10' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0', gw: 'fd00:1::1' }],
  };

  it('gives the same addresses, and leaves the same files, as the reference plugin', async () => {
    const outcomes: unknown[] = [];
    for (const way of [ours, reference]) {
      const first = await way('ADD', 'a', config(DUAL));
      const second = await way('ADD', 'b', config(DUAL));
      await way('DEL', 'a', config(DUAL));
      await way('DEL', 'a', config(DUAL));
      const third = await way('ADD', 'c', config(DUAL));
      outcomes.push({ answers: [first, second, third], files: files() });
      rmSync(join(dataDir, 'pods'), { recursive: true });
    }
    assert.deepEqual(outcomes[0], outcomes[1]);
  });

  it('shares a network with the reference plugin, and each releases what the other gave', async () => {
    const given = new Set<string>();
    for (const [index, way] of [ours, reference, ours, reference].entries())
      given.add((await way('ADD', `p${index}`, config(DUAL))).ips[0]!.address);
    assert.equal(given.size, 4);
    for (const [index, way] of [reference, ours, reference, ours].entries()) {
      await way(
        'CHECK',
        `p${index}`,
        config(DUAL, { prevResult: { cniVersion: '1.0.0', ips: [], dns: {} } }),
      );
      await way('DEL', `p${index}`, config(DUAL));
    }
    assert.deepEqual(
      Object.keys(files()).filter((name) => /^\d|^fd/.test(name)),
      [],
    );
  });

  it('goes round, passes the gateway over, and says when nothing is left', async () => {
    const small = config({
      subnet: '10.1.0.0/29',
      rangeStart: '10.1.0.3',
      rangeEnd: '10.1.0.5',
      gateway: '10.1.0.4',
    });
    for (const way of [ours, reference]) {
      const given = [];
      for (const id of ['a', 'b']) given.push((await way('ADD', id, small)).ips[0]);
      assert.deepEqual(given, [
        { address: '10.1.0.3/29', gateway: '10.1.0.4' },
        { address: '10.1.0.5/29', gateway: '10.1.0.4' },
      ]);
      await assert.rejects(
        way('ADD', 'c', small),
        /no IP addresses available in range set: 10\.1\.0\.3-10\.1\.0\.5/,
      );
      await way('DEL', 'b', small);
      await way('DEL', 'a', small);
      assert.equal((await way('ADD', 'd', small)).ips[0]!.address, '10.1.0.3/29');
      rmSync(join(dataDir, 'pods'), { recursive: true });
    }
  });

  it('gives the address that is asked for, once', async () => {
    for (const way of [ours, reference]) {
      assert.equal((await way('ADD', 'a', config(DUAL), 'IP=10.1.0.9')).ips[0]!.address, '10.1.0.9/28');
      const asked = config(DUAL, { runtimeConfig: { ips: ['10.1.0.11/28', 'fd00:1::77'] } });
      assert.deepEqual(
        (await way('ADD', 'b', asked)).ips.map(({ address }) => address),
        ['10.1.0.11/28', 'fd00:1::77/120'],
      );
      await assert.rejects(way('ADD', 'c', config(DUAL), 'IP=10.1.0.9'));
      await assert.rejects(way('ADD', 'd', config(DUAL), 'IP=10.2.0.9'));
      await assert.rejects(way('ADD', 'e', config(DUAL), 'IP=10.1.0.1'));
      await assert.rejects(way('ADD', 'a', config(DUAL)));
      // What a refused ADD took from the first set is free again.
      assert.deepEqual(
        Object.values(files()).filter((text) => /^[cde]/.test(text)),
        [],
      );
      rmSync(join(dataDir, 'pods'), { recursive: true });
    }
  });

  it('takes the ranges of the runtime first, and tells the name servers', async () => {
    const resolvConf = join(dataDir, 'resolv.conf');
    writeFileSync(resolvConf, '# x\nnameserver 10.0.0.10\nsearch a.b c.d\noptions ndots:5\n');
    const both = config(
      { ranges: [[{ subnet: '10.1.0.0/28' }]], resolvConf },
      { runtimeConfig: { ipRanges: [[{ subnet: '10.9.0.0/28' }]] } },
    );
    const [a, b] = [await ours('ADD', 'a', both), await reference('ADD', 'b', both)];
    assert.deepEqual(
      a.ips.map(({ gateway }) => gateway),
      ['10.9.0.1', '10.1.0.1'],
    );
    assert.deepEqual(
      b.ips.map(({ gateway }) => gateway),
      ['10.9.0.1', '10.1.0.1'],
    );
    assert.deepEqual(a.dns, b.dns);
  });

  it('frees on GC what belongs to nobody', async () => {
    for (const id of ['a', 'b', 'c']) await ours('ADD', id, config(DUAL));
    const valid = [{ containerID: 'b', ifname: 'eth0' }];
    await ours('GC', 'b', { ...config(DUAL), cniVersion: '1.1.0', 'cni.dev/valid-attachments': valid });
    assert.deepEqual(
      Object.entries(files()).filter(([name, text]) => /^\d|^fd/.test(name) && !text.startsWith('b')),
      [],
    );
  });

  for (const [title, ipam] of Object.entries({
    'no ranges': {},
    'host bits': { subnet: '10.1.0.1/24' },
    'a foreign start': { subnet: '10.1.0.0/24', rangeStart: '10.2.0.1' },
    'an end before the start': { subnet: '10.1.0.0/24', rangeStart: '10.1.0.9', rangeEnd: '10.1.0.3' },
    'mixed families': { ranges: [[{ subnet: '10.1.0.0/24' }, { subnet: 'fd00::/64' }]] },
    'ranges that overlap': { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: '10.1.0.128/25' }]] },
    'no subnet': { ranges: [[{}]] },
    'a tiny subnet': { subnet: '10.1.0.0/31' },
  }))
    it(`refuses ${title}, as the reference plugin does`, async () => {
      await assert.rejects(reference('ADD', 'a', config(ipam)));
      await assert.rejects(ours('ADD', 'a', config(ipam)), { name: 'PluginError' });
    });
});
