import { BlockList, isIP } from 'node:net';
import { Fault } from '../../ground/fault.ts';

type Environment = Record<string, string | undefined>;

/**
 * The proxy for `url` by HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as programs of the Kubernetes world read them (Go,
 * golang.org/x/net/http/httpproxy): names in NO_PROXY cover their subdomains, addresses may be ranges, a port may
 * follow, `*` means all; loopback is never proxied. Undefined: the host is asked directly. Throws
 * Fault('precondition') when the variable names another kind of proxy.
 */
export function proxyFor(url: URL, environment: Environment = process.env): string | undefined {
  const scheme = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const proxy = variable(environment, scheme);
  if (proxy === '' || bypasses(url, variable(environment, 'NO_PROXY'))) return undefined;
  const address = proxy.includes('://') ? proxy : `http://${proxy}`;
  if (/^https?:$/.test(URL.parse(address)?.protocol ?? '')) return address;
  // Its text can hold a password.
  throw new Fault('precondition', `The variable ${scheme} names no http proxy`, {
    hint: 'correct it in the environment of the daemon, or list the registry in NO_PROXY',
  });
}

function variable(environment: Environment, name: string): string {
  return environment[name] || environment[name.toLowerCase()] || '';
}

function bypasses(url: URL, noProxy: string): boolean {
  const host = bare(url.hostname.toLowerCase()).replace(/\.$/, '');
  if (host === 'localhost' || matchesRange(host, '127.0.0.0/8') || host === '::1') return true;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return noProxy
    .toLowerCase()
    .split(',')
    .map((entry) => entry.trim())
    .some((entry) => entry !== '' && matches(host, port, entry));
}

function matches(host: string, port: string, entry: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return matchesRange(host, entry);
  const { name = entry, at } = /^(?<name>\[.*\]|[^:]*)(?::(?<at>\d+))?$/.exec(entry)?.groups ?? {};
  if (at !== undefined && at !== port) return false;
  const domain = bare(name).replace(/^\*/, '');
  if (domain.startsWith('.')) return host.endsWith(domain);
  return host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`));
}

function matchesRange(host: string, range: string): boolean {
  const [network = '', bits = ''] = range.split('/');
  const family = isIP(network);
  if (family === 0 || family !== isIP(host) || !/^\d+$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, Number(bits), kind);
  return list.check(host, kind);
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
