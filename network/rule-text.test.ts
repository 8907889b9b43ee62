import assert from 'node:assert/strict';
import { chainsComplete, missingJumps, restoreText, type RuleSet } from './rule-text.ts';

const V4: RuleSet = {
  family: 4,
  bridge: 'berth0',
  overlay: '',
  ranges: ['10.1.0.0/24'],
  hostPorts: [
    {
      id: 'abc',
      address: '10.1.0.5',
      ports: [
        { protocol: 'tcp', hostPort: 8080, containerPort: 80, hostIp: '' },
        { protocol: 'udp', hostPort: 53, containerPort: 5353, hostIp: '192.0.2.1' },
      ],
    },
  ],
};
const NOTHING = {
  nat: '*nat\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n',
  filter: '*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n',
};

describe('the text of the rules', () => {
  it('is what iptables-restore takes', () => {
    assert.equal(
      restoreText(V4, missingJumps(NOTHING)),
      `*nat
:BERTH-HOSTPORTS - [0:0]
:BERTH-HAIRPIN - [0:0]
:BERTH-MASQ - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j BERTH-HOSTPORTS
-A OUTPUT -m addrtype --dst-type LOCAL -j BERTH-HOSTPORTS
-A POSTROUTING -j BERTH-HAIRPIN
-A POSTROUTING -j BERTH-MASQ
-A BERTH-HOSTPORTS -p tcp -m tcp --dport 8080 -m comment --comment "berth:abc" -j DNAT --to-destination 10.1.0.5:80
-A BERTH-HOSTPORTS -d 192.0.2.1/32 -p udp -m udp --dport 53 -m comment --comment "berth:abc" -j DNAT --to-destination 10.1.0.5:5353
-A BERTH-HAIRPIN -s 10.1.0.0/24 -d 10.1.0.5/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate DNAT --ctorigdstport 8080 -m comment --comment "berth:abc" -j MASQUERADE
-A BERTH-HAIRPIN -s 10.1.0.0/24 -d 10.1.0.5/32 -p udp -m udp --dport 5353 -m conntrack --ctstate DNAT --ctorigdstport 53 -m comment --comment "berth:abc" -j MASQUERADE
-A BERTH-MASQ -s 10.1.0.0/24 ! -d 10.1.0.0/24 -j MASQUERADE
-A BERTH-MASQ -s 127.0.0.0/8 -o berth0 -j MASQUERADE
COMMIT

*filter
:BERTH-INPUT - [0:0]
:BERTH-FORWARD - [0:0]
-I INPUT -j BERTH-INPUT
-A BERTH-INPUT -d 127.0.0.0/8 -i berth0 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A BERTH-FORWARD -s 10.1.0.0/24 -j ACCEPT
-A BERTH-FORWARD -d 10.1.0.0/24 -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT
COMMIT
`,
    );
  });

  it('lets pods of other nodes through, as they are', () => {
    const text = restoreText({ ...V4, overlay: 'berth.vxlan' }, []);
    assert.match(
      text,
      /^-A BERTH-MASQ -s 10\.1\.0\.0\/24 ! -d 10\.1\.0\.0\/24 ! -o berth\.vxlan -j MASQUERADE$/m,
    );
    assert.match(text, /^-A BERTH-FORWARD -d 10\.1\.0\.0\/24 -i berth\.vxlan -j ACCEPT$/m);
    const saved = { nat: text, filter: text };
    assert.ok(chainsComplete({ ...V4, overlay: 'berth.vxlan' }, saved));
    assert.ok(!chainsComplete({ ...V4, overlay: 'other' }, saved), 'another link');
    assert.ok(!chainsComplete(V4, saved), 'switched off');
  });

  it('is not complete for another range', () => {
    const text = restoreText(V4, []);
    assert.ok(!chainsComplete({ ...V4, ranges: ['10.2.0.0/24'] }, { nat: text, filter: text }));
  });

  it('is the same for IPv6, whose loopback cannot be led elsewhere', () => {
    const port = { protocol: 'sctp', hostPort: 9, containerPort: 8, hostIp: '' } as const;
    const set: RuleSet = {
      family: 6,
      bridge: 'berth0',
      overlay: '',
      ranges: ['fd00::/64'],
      hostPorts: [{ id: 'abc', address: 'fd00::5', ports: [port] }],
    };
    assert.equal(
      restoreText(set, [], ['nat']),
      `*nat
:BERTH-HOSTPORTS - [0:0]
:BERTH-HAIRPIN - [0:0]
:BERTH-MASQ - [0:0]
-A BERTH-HOSTPORTS -p sctp -m sctp --dport 9 -m comment --comment "berth:abc" -j DNAT --to-destination [fd00::5]:8
-A BERTH-HAIRPIN -s fd00::/64 -d fd00::5/128 -p sctp -m sctp --dport 8 -m conntrack --ctstate DNAT --ctorigdstport 9 -m comment --comment "berth:abc" -j MASQUERADE
-A BERTH-MASQ -s fd00::/64 ! -d fd00::/64 -j MASQUERADE
COMMIT
`,
    );
  });

  it('asks for the jumps that are missing, and for the one to accept forwards where the policy drops them', () => {
    assert.equal(missingJumps(NOTHING).length, 5);
    const dropping = { ...NOTHING, filter: NOTHING.filter.replace('FORWARD ACCEPT', 'FORWARD DROP') };
    assert.deepEqual(
      missingJumps(dropping).map(({ from }) => from),
      ['PREROUTING', 'OUTPUT', 'POSTROUTING', 'POSTROUTING', 'INPUT', 'FORWARD'],
    );
    const there = restoreText(V4, missingJumps(dropping)).replaceAll('-I ', '-A ');
    assert.deepEqual(missingJumps({ nat: there, filter: `:FORWARD DROP [0:0]\n${there}` }), []);
  });

  it('sees when a chain of ours has lost a rule', () => {
    const text = restoreText(V4, []);
    assert.ok(chainsComplete(V4, { nat: text, filter: text }));
    const lost = text.replace(/-A BERTH-MASQ .*\n/, '');
    assert.ok(!chainsComplete(V4, { nat: lost, filter: text }));
    assert.ok(!chainsComplete(V4, NOTHING));
  });
});
