import assert from 'node:assert/strict';
import { podCapabilities } from './pod-capabilities.ts';
import type { AttachRequest } from './pod-network.ts';

const BURST = 0xffffffff;

describe('capabilities for CNI plugins', () => {
  const of = (more: Partial<AttachRequest> = {}, podCidr = ''): Record<string, unknown> => {
    const request: AttachRequest = {
      id: 'a',
      netnsPath: '/n',
      podName: 'web',
      podNamespace: 'shop',
      podUid: 'u',
      hostPorts: [],
      annotations: {},
      cgroupParent: '',
      ...more,
    };
    const offered = Object.entries(podCapabilities(request, podCidr)).filter(
      ([, value]) => value !== undefined,
    );
    return Object.fromEntries(offered);
  };
  const annotated = (annotations: Record<string, string>): Record<string, unknown> => of({ annotations });

  it('offer nothing that the pod does not have', () => {
    assert.deepEqual(of(), { 'io.kubernetes.cri.pod-annotations': {}, aliases: ['web'] });
  });

  it('have the shapes of the conventions', () => {
    const all = of(
      {
        hostPorts: [{ protocol: 'udp', hostPort: 53, containerPort: 5353, hostIp: '192.0.2.1' }],
        dns: { servers: ['10.0.0.10'], searches: ['shop.svc'], options: ['ndots:5'] },
        cgroupParent: '/kubepods/pod1',
        annotations: {
          'berth.dev/mac': '0a:58:0a:00:00:07',
          'berth.dev/infiniband-guid': 'c2:11:22:33:44:55:66:77',
        },
      },
      '10.1.0.0/24, fd00::/64',
    );
    delete all['io.kubernetes.cri.pod-annotations'];
    assert.deepEqual(all, {
      portMappings: [{ hostPort: 53, containerPort: 5353, protocol: 'udp', hostIP: '192.0.2.1' }],
      ipRanges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00::/64' }]],
      dns: { servers: ['10.0.0.10'], searches: ['shop.svc'], options: ['ndots:5'] },
      aliases: ['web'],
      mac: '0a:58:0a:00:00:07',
      infinibandGUID: 'c2:11:22:33:44:55:66:77',
      cgroupPath: '/kubepods/pod1',
    });
  });

  for (const [text, bits] of [
    ['1k', 1e3],
    ['1M', 1e6],
    ['1.5Mi', 1_572_864],
    ['1P', 1e15],
  ] as const)
    it(`reads a rate of ${text}`, () => {
      assert.deepEqual(annotated({ 'kubernetes.io/ingress-bandwidth': text })['bandwidth'], {
        ingressRate: bits,
        ingressBurst: BURST,
      });
      assert.deepEqual(annotated({ 'kubernetes.io/egress-bandwidth': text })['bandwidth'], {
        egressRate: bits,
        egressBurst: BURST,
      });
    });

  for (const [name, text] of [
    ['kubernetes.io/ingress-bandwidth', '999'],
    ['kubernetes.io/ingress-bandwidth', '2P'],
    ['kubernetes.io/egress-bandwidth', 'much'],
    ['kubernetes.io/egress-bandwidth', '-1M'],
    ['berth.dev/mac', '0a:58:0a:00:00'],
    ['berth.dev/mac', '01:00:5e:00:00:07'],
    ['berth.dev/infiniband-guid', '0a:58:0a:00:00:07'],
  ] as const)
    it(`refuses ${name} ${text}`, () =>
      assert.throws(() => annotated({ [name]: text }), {
        kind: 'invalid',
        message: new RegExp(`Annotation ${name}: "${text}"`),
      }));
});
