import { isIP } from 'node:net';
import type { DnsConfig, PortMapping, SandboxConfig, SandboxMetadata } from '../../pod/config.ts';
import type { SandboxFilter, SandboxView } from '../../pod/pods.ts';
import type * as wire from '../proto/codec.js';
import {
  absoluteOrEmpty,
  filled,
  keyed,
  named,
  noNul,
  notForWindows,
  oneLine,
  refuse,
  required,
  whole,
} from './check.ts';
import { numberOf, PROTOCOLS, SANDBOX_STATES } from './names.ts';
import { resourcesFromWire } from './resources.ts';
import { namespacesToWire, sandboxSecurityFromWire } from './security.ts';

/** The kernel's bound for a host name (sethostname(2)). */
const MAX_HOSTNAME = 64;

/** A sandbox's configuration as a caller sends it. Throws Fault `invalid` that names the field. */
export function sandboxConfigFromWire(message: wire.PodSandboxConfig | null, path = 'config'): SandboxConfig {
  const config = required(message, path);
  noNul(config, path);
  notForWindows(config.windows, `${path}.windows`);
  const { linux } = config;
  return {
    metadata: sandboxMetadata(config.metadata, `${path}.metadata`),
    hostname: hostname(config.hostname, `${path}.hostname`),
    logDirectory: absoluteOrEmpty(config.logDirectory, `${path}.logDirectory`),
    dns: config.dnsConfig === null ? undefined : dns(config.dnsConfig, `${path}.dnsConfig`),
    portMappings: config.portMappings.map((mapping, index) =>
      portMapping(mapping, `${path}.portMappings[${index}]`),
    ),
    labels: keyed(config.labels, `${path}.labels`),
    annotations: keyed(config.annotations, `${path}.annotations`),
    cgroupParent: oneLine(linux?.cgroupParent ?? '', `${path}.linux.cgroupParent`),
    sysctls: sysctls(linux?.sysctls ?? {}, `${path}.linux.sysctls`),
    security: sandboxSecurityFromWire(linux?.securityContext ?? null, `${path}.linux.securityContext`),
    overhead: resourcesFromWire(linux?.overhead ?? null, `${path}.linux.overhead`),
    resources: resourcesFromWire(linux?.resources ?? null, `${path}.linux.resources`),
  };
}

function sandboxMetadata(message: wire.PodSandboxMetadata | null, path: string): SandboxMetadata {
  const { name, uid, namespace, attempt } = required(message, path);
  return {
    name: oneLine(filled(name, `${path}.name`), `${path}.name`),
    uid: oneLine(filled(uid, `${path}.uid`), `${path}.uid`),
    namespace: oneLine(filled(namespace, `${path}.namespace`), `${path}.namespace`),
    attempt,
  };
}

function hostname(text: string, path: string): string {
  if (text.length > MAX_HOSTNAME) refuse(path, `has ${text.length} characters, more than ${MAX_HOSTNAME}`);
  return /^[\w.-]*$/.test(text) ? text : refuse(path, `is ${JSON.stringify(text)}: that is no host name`);
}

/** Each entry becomes a word of a line of /etc/resolv.conf. */
function dns({ servers, searches, options }: wire.DNSConfig, path: string): DnsConfig {
  const word = (text: string, at: string): string =>
    /^\S+$/.test(text) ? text : refuse(at, `is ${JSON.stringify(text)}: it has to be one word`);
  return {
    servers: servers.map((server, index) =>
      isIP(server) === 0 ? refuse(`${path}.servers[${index}]`, 'is no IP address') : server,
    ),
    searches: searches.map((search, index) => word(search, `${path}.searches[${index}]`)),
    options: options.map((option, index) => word(option, `${path}.options[${index}]`)),
  };
}

function portMapping(mapping: wire.PortMapping, path: string): PortMapping {
  const { hostIp } = mapping;
  const hostPort = whole(mapping.hostPort, `${path}.hostPort`, 0, 65535);
  return {
    protocol: named(PROTOCOLS, mapping.protocol, `${path}.protocol`),
    // Only a mapping that maps needs a port to map to.
    containerPort: whole(mapping.containerPort, `${path}.containerPort`, hostPort > 0 ? 1 : 0, 65535),
    hostPort,
    hostIp: hostIp === '' || isIP(hostIp) !== 0 ? hostIp : refuse(`${path}.hostIp`, 'is no IP address'),
  };
}

function sysctls(map: Record<string, string>, path: string): Record<string, string> {
  for (const [key, value] of Object.entries(map)) {
    if (!/^\w[\w*:-]*([./][\w*:-]+)*$/.test(key))
      refuse(path, `has the key ${JSON.stringify(key)}: that is no sysctl`);
    oneLine(value, `${path}[${key}]`);
  }
  return map;
}

/** A filter of sandboxes; undefined when the caller wants all. */
export function sandboxFilterFromWire(filter: wire.PodSandboxFilter | null): SandboxFilter | undefined {
  if (filter === null) return undefined;
  const { id, state, labelSelector } = filter;
  return {
    id: id === '' ? undefined : id,
    state: state === null ? undefined : named(SANDBOX_STATES, state.state, 'filter.state'),
    labels: labelSelector,
  };
}

/** A sandbox as lists carry it. */
export function sandboxToWire(sandbox: SandboxView): wire.Input<wire.PodSandbox> {
  const { metadata, labels, annotations } = sandbox.config;
  return {
    id: sandbox.id,
    metadata,
    state: numberOf(SANDBOX_STATES, sandbox.state),
    createdAt: sandbox.createdAtNs,
    labels,
    annotations,
    runtimeHandler: sandbox.handler,
  };
}

/** A sandbox as its status carries it. */
export function sandboxStatusToWire(sandbox: SandboxView): wire.Input<wire.PodSandboxStatus> {
  const [ip, ...more] = sandbox.addresses;
  return {
    ...sandboxToWire(sandbox),
    network: { ip: ip ?? '', additionalIps: more.map((address) => ({ ip: address })) },
    linux: { namespaces: { options: namespacesToWire(sandbox.config.security.namespaces) } },
  };
}
