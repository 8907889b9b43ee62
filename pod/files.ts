import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import { isErrno } from '../native/errno.ts';
import type { DnsConfig } from './config.ts';
import type { PodFilePaths } from './spec/input.ts';

/** Host names are at most 64 bytes in Linux (sethostname(2)). */
const MAX_HOSTNAME_BYTES = 64;

/** The content of resolv.conf (resolv.conf(5)). Throws `invalid` for entries with white space or control characters. */
export function resolvConf(dns: DnsConfig): string {
  const lines = [
    ...dns.servers.map((server) => `nameserver ${word('DNS server', server)}`),
    ...(dns.searches.length > 0
      ? [`search ${dns.searches.map((s) => word('DNS search domain', s)).join(' ')}`]
      : []),
    ...(dns.options.length > 0 ? [`options ${dns.options.map((o) => word('DNS option', o)).join(' ')}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** The content of /etc/hostname. Throws `invalid` for a name that is none. */
export function hostnameFile(hostname: string): string {
  return `${checkedHostname(hostname)}\n`;
}

/** A host name that can be set and written into files. Throws `invalid`. */
export function checkedHostname(hostname: string): string {
  word('host name', hostname);
  if (Buffer.byteLength(hostname) > MAX_HOSTNAME_BYTES)
    throw new Fault(
      'invalid',
      `The host name ${JSON.stringify(hostname)} is longer than ${MAX_HOSTNAME_BYTES} bytes`,
    );
  return hostname;
}

/** The content of /etc/hosts for pods whose caller brings none (the kubelet does): loopback and the pod's own name. */
export function hostsFile(hostname: string, addresses: string[] = []): string {
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...addresses.map((address) => `${word('address', address)}\t${checkedHostname(hostname)}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export interface PodFileContents {
  hostname: string;
  /** Absent or empty: the pod gets a copy of the node's resolv.conf, as with the peers. */
  dns?: DnsConfig;
  addresses?: string[];
  /** The pod is on the node's network, and names mean there what they mean on the node: it gets a copy of its hosts. */
  nodeHosts?: boolean;
  /** Who the files belong to, when not to the node's root. */
  owner?: { uid: number; gid: number };
}

/** Writes a pod's resolv.conf, hostname and hosts into a directory and says where they are. */
export function writePodFiles(directory: string, contents: PodFileContents): PodFilePaths {
  const write = (name: string, content: string | Buffer): string => {
    const path = join(directory, name);
    writeFileSync(path, content, { mode: 0o644 });
    if (contents.owner !== undefined) chownSync(path, contents.owner.uid, contents.owner.gid);
    return path;
  };
  const dns = contents.dns === undefined ? '' : resolvConf(contents.dns);
  return {
    resolvConf: write('resolv.conf', dns === '' ? nodeFile('/etc/resolv.conf') : dns),
    hostname: write('hostname', hostnameFile(contents.hostname)),
    hosts: write(
      'hosts',
      contents.nodeHosts === true ? nodeFile('/etc/hosts') : hostsFile(contents.hostname, contents.addresses),
    ),
  };
}

function nodeFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    // A node without one resolves nothing by it, and so does the pod.
    if (isErrno(error, 'ENOENT')) return Buffer.alloc(0);
    throw error;
  }
}

/** What stands between two blanks of a line: user strings never reach a file unescaped. */
function word(kind: string, text: string): string {
  if (text === '' || /[\s\p{Cc}]/u.test(text))
    throw new Fault(
      'invalid',
      `The ${kind} ${JSON.stringify(text)} is empty or contains blanks or control characters`,
    );
  return text;
}
