import assert from 'node:assert/strict';
import { properNames } from './runtime-config.ts';

describe('the runtime part of a configuration', () => {
  it('is read in any case of its names, as Go does', () => {
    assert.deepEqual(
      properNames({
        portMappings: [{ HostPort: 80, ContainerPort: 8080, Protocol: 'tcp', HostIP: '' }],
        Bandwidth: { IngressRate: 1, INGRESSBURST: 2 },
        ipRanges: [[{ Subnet: '10.1.0.0/24', RangeStart: '10.1.0.9' }]],
        'io.kubernetes.cri.pod-annotations': { 'Own/Key': 'Value' },
        mac: '0a:58:0a:00:00:07',
      }),
      {
        portMappings: [{ hostPort: 80, containerPort: 8080, protocol: 'tcp', hostIP: '' }],
        bandwidth: { ingressRate: 1, ingressBurst: 2 },
        ipRanges: [[{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.9' }]],
        'io.kubernetes.cri.pod-annotations': { 'Own/Key': 'Value' },
        mac: '0a:58:0a:00:00:07',
      },
    );
  });
});
