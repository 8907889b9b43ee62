import assert from 'node:assert/strict';
import { RecordStore } from '../ground/records.ts';
import { HostPortOwners } from './host-port-owners.ts';
import { HostPortClaims, hostPortsOf } from './host-ports.ts';
import { NodeRules } from './node-rules.ts';
import { IptablesRules } from './iptables-rules.ts';
import type { RuleTables } from './iptables.ts';
import type { HostPort } from './pod-network.ts';

const port = (hostPort: number, hostIp = '', protocol: HostPort['protocol'] = 'tcp'): HostPort => ({
  protocol,
  hostPort,
  containerPort: 80,
  hostIp,
});

describe('host ports', () => {
  let records: RecordStore;
  let claims: HostPortClaims;
  beforeEach(() => {
    records = new RecordStore(':memory:');
    claims = new HostPortClaims(records);
  });
  afterEach(() => records.close());

  const claim = (id: string, ...ports: HostPort[]): void =>
    claims.claim({ id, addresses: ['10.1.0.2', 'fd00::2'], ports });

  it('belong to one sandbox among all networks, and the error says to which pod', () => {
    const owners = new HostPortOwners();
    const both = new HostPortClaims(records, owners);
    owners.claim({ id: 'c', name: 'shop/web', ports: [port(80)] });
    const claimed = { id: 'b', addresses: ['10.1.0.2'], ports: [port(80)] };
    assert.throws(() => both.claim(claimed), {
      kind: 'exists',
      message: /80\/tcp belongs to sandbox c \(pod shop\/web\)/,
    });
    assert.deepEqual(owners.rivals('x', [port(80, '192.0.2.1'), port(81)]), ['c']);
    owners.free('c');
    both.claim({ ...claimed, name: 'shop/bread' });
    const again = new HostPortOwners();
    void new HostPortClaims(records, again);
    assert.throws(
      () => again.claim({ id: 'd', name: '', ports: [port(80)] }),
      /belongs to sandbox b \(pod shop\/bread\)/,
    );
    both.drop('b');
    assert.deepEqual(owners.rivals('x', [port(80)]), []);
  });

  it('belong to one sandbox at a time, per protocol and address', () => {
    claim('a', port(80), port(81, '192.0.2.1'), port(82, '0.0.0.0'));
    const taken = (message: RegExp, ...ports: HostPort[]): void =>
      assert.throws(() => claim('b', ...ports), { kind: 'exists', subject: 'sandbox b', message });
    taken(/80\/tcp belongs to sandbox a/, port(80, '192.0.2.7'));
    taken(/192.0.2.1:81\/tcp belongs/, port(81, '192.0.2.1'));
    taken(/:82\/tcp belongs/, port(82, '192.0.2.1'));
    taken(/82\/tcp belongs/, port(82));
    claim('b', port(80, '', 'udp'), port(81, '192.0.2.2'), port(82, '::'));
    claims.leave('a');
    taken(/belongs to sandbox a/, port(80));
    claims.drop('a');
    claim('c', port(80));
    assert.deepEqual(new HostPortClaims(records).ids(), ['b', 'c']);
  });

  it('are refused when they make no sense', () => {
    const refused = (message: RegExp, ...ports: HostPort[]): void =>
      assert.throws(() => claim('a', ...ports), { kind: 'invalid', message });
    refused(/asked for twice/, port(80), port(80));
    refused(/70000 is no port/, port(70000));
    refused(/host address is no address/, port(80, 'localhost'));
    refused(/host address is no address/, port(80, '10.0.0.1 -j ACCEPT'));
    refused(/none of tcp, udp, sctp/, port(80, '', 'icmp' as 'tcp'));
    assert.throws(() => claims.claim({ id: 'a', addresses: ['10.1.0.2'], ports: [port(80, 'fd00::1')] }), {
      message: /no IPv6 address/,
    });
    assert.deepEqual(claims.ids(), []);
  });

  it('concern the families that they name', () => {
    claim('a', port(80), port(81, '192.0.2.1'), port(82, '::'));
    const numbers = (family: 4 | 6): number[] =>
      hostPortsOf(family, claims.staying()).flatMap(({ ports }) => ports.map(({ hostPort }) => hostPort));
    assert.deepEqual(
      [numbers(4), numbers(6)],
      [
        [80, 81],
        [80, 82],
      ],
    );
  });

  describe('as rules', () => {
    class FakeTables implements RuleTables {
      readonly family = 4;
      readonly texts: string[] = [];
      failure: Error | undefined;
      async restore(text: string): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
        if (this.failure !== undefined) throw this.failure;
        this.texts.push(text);
      }
      async save(table: 'nat' | 'filter'): Promise<string> {
        const last = this.texts.findLast((text) => text.includes(`*${table}`)) ?? '';
        return await Promise.resolve(last.replaceAll('-I ', '-A '));
      }
    }

    it('share transactions when they come at once, and tell each caller of a failure', async () => {
      const tables = new FakeTables();
      const rules = new NodeRules('berth0', [new IptablesRules(tables)], claims, () => [
        '10.1.0.0/24',
        'fd00::/64',
      ]);
      assert.equal(await rules.ensure(), true);
      assert.equal(await rules.ensure(), false);
      tables.texts.length = 0;
      const writes = Array.from({ length: 10 }, async (_, n) => {
        claim(`p${n}`, port(8000 + n));
        await rules.write();
        assert.match(tables.texts.at(-1)!, new RegExp(`berth:p${n}"`));
      });
      await Promise.all(writes);
      assert.equal(tables.texts.length, 1);
      tables.failure = new Error('locked');
      const outcomes = await Promise.allSettled([rules.write(), rules.write()]);
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['rejected', 'rejected'],
      );
      tables.failure = undefined;
      claims.leave('p3');
      await rules.write();
      assert.doesNotMatch(tables.texts.at(-1)!, /berth:p3"/);
    });

    it('are not touched in a family without a range', async () => {
      const tables = new FakeTables();
      const rules = new NodeRules('berth0', [new IptablesRules(tables)], claims, () => ['fd00::/64']);
      assert.equal(await rules.ensure(), false);
      await rules.write();
      assert.deepEqual(tables.texts, []);
    });
  });
});
