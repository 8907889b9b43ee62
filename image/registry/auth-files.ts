import { open } from 'node:fs/promises';
import type { Log } from '../../ground/log.ts';
import type { PullAuth } from '../images.ts';
import type { AskHelper } from './credential-helpers.ts';

const MAX_FILE = 1024 * 1024;

/** The node's own credentials, as its files have them at the time of asking. */
export interface NodeCredentials {
  /** Those for `registry/repository`, or for all of `registry`; undefined when no file has any. */
  find(registry: string, repository: string): PullAuth | undefined;
}

/** One file: credentials by `host[/path]`, and who is to be asked for others. */
interface AuthFile {
  auths: Map<string, PullAuth>;
  /** Helpers by host. */
  helpers: Map<string, string>;
  /** The helper for all hosts that the file does not name otherwise. */
  store: string | undefined;
}

/**
 * Reads the node's credential files (containers-auth.json(5), Docker's config.json): `{"auths": {"<host>[/<path>]":
 * {"auth": …}}, "credHelpers": {"<host>": "<helper>"}, "credsStore": "<helper>"}`. The first file with an answer
 * serves; within it the host's helper, then the longest path, then the store. Helpers are asked for `registries` only,
 * now. A file that is not there is none; one that cannot be used is told to the log and otherwise none: it may be about
 * other images.
 */
export async function readAuthFiles(
  paths: string[],
  log: Log,
  registries: string[],
  ask: AskHelper,
): Promise<NodeCredentials> {
  const files = await Promise.all(paths.map((path) => readFileOf(path, log)));
  const answers = new Map<string, PullAuth>();
  const question = (helper: string, registry: string): string => `${helper} ${registry}`;
  const asked = new Map<string, Promise<PullAuth | undefined>>();
  await Promise.all(
    files.flatMap((file) =>
      registries.map(async (registry) => {
        const helper = file.helpers.get(registry) ?? file.store;
        if (helper === undefined) return;
        const key = question(helper, registry);
        const answer = asked.get(key) ?? ask(helper, registry);
        asked.set(key, answer);
        const found = await answer;
        if (found !== undefined) answers.set(key, found);
      }),
    ),
  );
  const said = (helper: string | undefined, registry: string): PullAuth | undefined =>
    helper === undefined ? undefined : answers.get(question(helper, registry));
  return {
    find: (registry, repository) => {
      for (const { auths, helpers, store } of files) {
        const found =
          said(helpers.get(registry), registry) ??
          byPath(auths, registry, repository) ??
          said(store, registry);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

function byPath(auths: Map<string, PullAuth>, registry: string, repository: string): PullAuth | undefined {
  const steps = repository.split('/');
  for (let length = steps.length; length >= 0; length--) {
    const found = auths.get([registry, ...steps.slice(0, length)].join('/'));
    if (found !== undefined) return found;
  }
  return undefined;
}

async function readFileOf(path: string, log: Log): Promise<AuthFile> {
  const none: AuthFile = { auths: new Map(), helpers: new Map(), store: undefined };
  const refuse = (why: string): AuthFile => {
    log.warn({ file: path }, `The credential file ${path} is not used: ${why}`);
    return none;
  };
  let text: string;
  try {
    text = await readBounded(path);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? none : refuse(message);
  }
  let file: { auths?: unknown; credHelpers?: unknown; credsStore?: unknown };
  try {
    file = (JSON.parse(text) as typeof file | null) ?? {};
  } catch {
    // The parser's message would quote the file.
    return refuse('it is no JSON');
  }
  const { auths = {}, credHelpers = {}, credsStore = '' } = file;
  if (!isTable(auths)) return refuse('its auths are no JSON object');
  if (!isTable(credHelpers)) return refuse('its credHelpers are no JSON object');
  if (typeof credsStore !== 'string') return refuse('its credsStore is no text');
  return {
    auths: new Map(
      Object.entries(auths).flatMap(([key, value]) => {
        const entry = entryFrom(value);
        return entry === undefined ? [] : [[nameOf(key), entry]];
      }),
    ),
    helpers: new Map(
      Object.entries(credHelpers).flatMap(([key, helper]) =>
        typeof helper === 'string' && helper !== '' ? [[nameOf(key), helper]] : [],
      ),
    ),
    store: credsStore === '' ? undefined : credsStore,
  };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object';
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
  // Docker leaves an empty entry where a helper has the secret.
  return Object.values(entry).some((field) => field !== '') ? entry : undefined;
}
