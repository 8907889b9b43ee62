import { open } from 'node:fs/promises';
import type { Log } from '../../ground/log.ts';
import type { PullAuth } from '../images.ts';

const MAX_FILE = 1024 * 1024;

/** The node's own credentials, as its files have them at the time of asking. */
export interface NodeCredentials {
  /** Those for `registry/repository`, or for all of `registry`; undefined when no file has any. */
  find(registry: string, repository: string): PullAuth | undefined;
}

/**
 * Reads the node's credential files (containers-auth.json(5), Docker's config.json): `{"auths": {"<host>[/<path>]":
 * {"auth": …}}}`. The first file with an entry serves, the longest path within it. A file that is not there is
 * none; one that cannot be used is told to the log and otherwise none: it may be about other images.
 */
export async function readAuthFiles(paths: string[], log: Log): Promise<NodeCredentials> {
  const files = await Promise.all(paths.map((path) => readEntries(path, log)));
  return {
    find: (registry, repository) => {
      const steps = repository.split('/');
      for (const entries of files) {
        for (let length = steps.length; length >= 0; length--) {
          const found = entries.get([registry, ...steps.slice(0, length)].join('/'));
          if (found !== undefined) return found;
        }
      }
      return undefined;
    },
  };
}

async function readEntries(path: string, log: Log): Promise<Map<string, PullAuth>> {
  const refuse = (why: string): Map<string, PullAuth> => {
    log.warn({ file: path }, `The credential file ${path} is not used: ${why}`);
    return new Map();
  };
  let text: string;
  try {
    text = await readBounded(path);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? new Map() : refuse(message);
  }
  let auths: unknown;
  try {
    auths = (JSON.parse(text) as { auths?: unknown } | null)?.auths ?? {};
  } catch {
    // The parser's message would quote the file.
    return refuse('it is no JSON');
  }
  if (typeof auths !== 'object') return refuse('its auths are no JSON object');
  return new Map(
    Object.entries(auths as Record<string, unknown>).flatMap(([key, value]) => {
      const entry = entryFrom(value);
      return entry === undefined ? [] : [[nameOf(key), entry]];
    }),
  );
}

async function readBounded(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('it is no file');
    if (stat.size > MAX_FILE) throw new Error(`it has more than ${MAX_FILE} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Keys are hosts, hosts with a path, or URLs: Docker's own is `https://index.docker.io/v1/`. */
function nameOf(key: string): string {
  const bare = key.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const [host = '', ...path] = bare.split('/');
  const registry = host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
  return [registry, ...(/^v[12]$/.test(path.join('/')) ? [] : path)].join('/');
}

function entryFrom(value: unknown): PullAuth | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  const fields = value as Record<string, unknown>;
  const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  const entry = {
    username: text('username'),
    password: text('password'),
    auth: text('auth'),
    serverAddress: '',
    identityToken: text('identitytoken'),
    registryToken: text('registrytoken'),
  };
  // An entry without any stands for a credential helper.
  return Object.values(entry).some((field) => field !== '') ? entry : undefined;
}
