import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { Fault } from '../../ground/fault.ts';

export type Capability = 'pull' | 'resolve' | 'push';

/** One address that serves a registry's content: the registry itself or a mirror. */
export interface RegistryHost {
  /** Base of the API without a slash at its end: `https://registry-1.docker.io/v2`. */
  base: URL;
  capabilities: Set<Capability>;
  skipVerify: boolean;
  /** Paths of CA bundles (PEM). */
  ca: string[];
  /** Pairs of certificate and key (PEM); the key may stand in the certificate's file. */
  client: { cert: string; key: string }[];
  headers: Record<string, string>;
  /** True for the registry's own server; only it is sent the caller's credentials unless they name another. */
  origin: boolean;
}

const ALL: Capability[] = ['pull', 'resolve', 'push'];

/**
 * The hosts to ask for `registry`, in order: mirrors of `<directory>/<registry>/hosts.toml` (or `_default`), then
 * the registry's server. The format is containerd's (docs/hosts.md there). Throws Fault('precondition') that names
 * the file when it cannot be read.
 */
export async function registryHosts(directory: string, registry: string): Promise<RegistryHost[]> {
  const found = directory === '' ? undefined : await readHostsFile(directory, registry);
  if (found === undefined) return [serverHost(registry)];
  try {
    return parseHosts(found.text, registry, dirname(found.path));
  } catch (cause) {
    throw new Fault('precondition', `The registry configuration ${found.path} cannot be used`, { cause });
  }
}

/** Reads the text of a hosts.toml. Relative paths in it count from `directory`. Throws Errors that say what is wrong. */
export function parseHosts(text: string, registry: string, directory: string): RegistryHost[] {
  const document = parse(text) as Record<string, unknown>;
  const { host: mirrors = {}, server, ...own } = document;
  const hosts = Object.entries(table(mirrors, 'host')).map(([url, settings]) =>
    hostFrom(url, table(settings, `host."${url}"`), directory, false),
  );
  const address = server === undefined ? undefined : string(server, 'server');
  const origin = address === undefined || address === '' ? serverHost(registry).base.href : address;
  const last = hostFrom(origin, own, directory, true);
  return [...hosts.filter((host) => host.base.href !== last.base.href), last];
}

/** The registry's own server when nothing is configured: https, or plain http on loopback as with the peers. */
export function serverHost(registry: string): RegistryHost {
  const address = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  return hostFrom(address, {}, '/', true);
}

async function readHostsFile(
  directory: string,
  registry: string,
): Promise<{ path: string; text: string } | undefined> {
  // containerd also accepts `host_port_`, for file systems without colons in names.
  const names = [registry.replace(/:(\d+)$/, '_$1_'), registry, '_default'];
  for (const name of new Set(names)) {
    const path = join(directory, name, 'hosts.toml');
    try {
      return { path, text: await readFile(path, 'utf8') };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') {
        throw new Fault('precondition', `The registry configuration ${path} cannot be read`, {
          cause: error,
        });
      }
    }
  }
  return undefined;
}

function hostFrom(
  url: string,
  settings: Record<string, unknown>,
  directory: string,
  origin: boolean,
): RegistryHost {
  const base = baseUrl(url, settings['override_path'] === true);
  const paths = (value: unknown, what: string): string[] =>
    strings(value, what).map((path) => resolve(directory, path));
  const capabilities = settings['capabilities'];
  return {
    base,
    origin,
    capabilities: new Set(
      capabilities === undefined ? ALL : strings(capabilities, 'capabilities').map(capability),
    ),
    skipVerify: settings['skip_verify'] === true,
    ca: paths(settings['ca'], 'ca'),
    client: clientPairs(settings['client'], directory),
    headers: Object.fromEntries(
      Object.entries(table(settings['header'] ?? {}, 'header')).map(([name, value]) => [
        name,
        strings(value, `header.${name}`).join(', '),
      ]),
    ),
  };
}

function baseUrl(text: string, overridePath: boolean): URL {
  const full = /^[a-z]+:\/\//.test(text) ? text : `${isLoopback(text) ? 'http' : 'https'}://${text}`;
  const url = new URL(full);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`${url.protocol}// is not served`);
  if (url.username !== '' || url.password !== '') throw new Error('a URL must not hold credentials');
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = overridePath || path.endsWith('/v2') ? path : `${path}/v2`;
  return url;
}

/** Loopback registries speak plain http unless they stand on the port of https. */
function isLoopback(address: string): boolean {
  const { hostname, port } = new URL(`http://${address}`);
  if (port === '443') return false;
  return (
    hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'))
  );
}

function clientPairs(value: unknown, directory: string): { cert: string; key: string }[] {
  if (value === undefined) return [];
  const items = Array.isArray(value) ? value : [value];
  return items.map((item) => {
    const [cert, key] = strings(item, 'client').map((path) => resolve(directory, path));
    if (cert === undefined) throw new Error('client names no certificate');
    return { cert, key: key ?? cert };
  });
}

function capability(text: string): Capability {
  const known = ALL.find((name) => name === text);
  if (known === undefined)
    throw new Error(`capabilities has ${JSON.stringify(text)}, known are ${ALL.join(', ')}`);
  return known;
}

function table(value: unknown, what: string): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Error(`${what} is no table`);
}

function string(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new Error(`${what} is no text`);
}

function strings(value: unknown, what: string): string[] {
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map((item) => string(item, what));
}
