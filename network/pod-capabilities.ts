import type { AttachRequest } from './pod-network.ts';
import { Fault } from '../ground/fault.ts';
import { parsePodRanges } from './pod-range.ts';

/** Annotations of a pod by which it asks for the hardware address of its interface; the kubelet has no field for them. */
const MAC = 'berth.dev/mac';
const INFINIBAND_GUID = 'berth.dev/infiniband-guid';

/**
 * What the runtime offers to CNI plugins by capability name, in the shapes of the CNI conventions (CONVENTIONS.md,
 * "Well-known Capabilities"). A plugin gets those that its configuration declares. Throws Fault `invalid` for an
 * annotation that says nothing usable.
 */
export function podCapabilities(request: AttachRequest, podCidr: string): Record<string, unknown> {
  const ranges = parsePodRanges(podCidr);
  return {
    // Plugins take an absent list and an empty one the same; absent keeps them from starting iptables.
    portMappings:
      request.hostPorts.length === 0
        ? undefined
        : request.hostPorts.map(({ hostPort, containerPort, protocol, hostIp }) => ({
            hostPort,
            containerPort,
            protocol,
            hostIP: hostIp,
          })),
    ipRanges: ranges.length === 0 ? undefined : ranges.map(({ cidr }) => [{ subnet: cidr }]),
    bandwidth: bandwidth(request.annotations),
    'io.kubernetes.cri.pod-annotations': request.annotations,
    dns: request.dns && {
      servers: request.dns.servers,
      searches: request.dns.searches,
      options: request.dns.options,
    },
    aliases: [request.podName],
    mac: address(request.annotations, MAC, 6),
    infinibandGUID: address(request.annotations, INFINIBAND_GUID, 8),
    cgroupPath: request.cgroupParent === '' ? undefined : request.cgroupParent,
  };
}

/** A hardware address of so many bytes, which nobody shares: not one of a group. */
function address(annotations: Record<string, string>, name: string, bytes: number): string | undefined {
  const text = annotations[name];
  if (text === undefined) return undefined;
  const sound = new RegExp(`^([0-9a-fA-F]{2}:){${bytes - 1}}[0-9a-fA-F]{2}$`).test(text);
  if (!sound || (bytes === 6 && (Number.parseInt(text, 16) & 1) === 1))
    throw new Fault(
      'invalid',
      `Annotation ${name}: ${JSON.stringify(text)} is no address of ${bytes} bytes for one station`,
      { hint: `write ${bytes} pairs of hexadecimal digits with colons between them` },
    );
  return text;
}

/** The plugin wants a burst; Kubernetes names none, and peers give the largest that the plugin takes. */
const LARGEST_BURST_BITS = 0xffffffff;

function bandwidth(annotations: Record<string, string>): Record<string, number> | undefined {
  const ingress = bitsPerSecond(annotations, 'kubernetes.io/ingress-bandwidth');
  const egress = bitsPerSecond(annotations, 'kubernetes.io/egress-bandwidth');
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress !== undefined && { ingressRate: ingress, ingressBurst: LARGEST_BURST_BITS }),
    ...(egress !== undefined && { egressRate: egress, egressBurst: LARGEST_BURST_BITS }),
  };
}

const UNITS: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** A Kubernetes quantity. Its bounds are those that the kubelet sets: 1k to 1P. */
function bitsPerSecond(annotations: Record<string, string>, name: string): number | undefined {
  const text = annotations[name];
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text) ?? [];
  const factor = UNITS[unit ?? ' '];
  const bits = factor === undefined ? Number.NaN : Math.ceil(Number(number) * factor);
  if (!(bits >= 1e3 && bits <= 1e15))
    throw new Fault('invalid', `Annotation ${name}: ${JSON.stringify(text)} is no rate between 1k and 1P`);
  return bits;
}
