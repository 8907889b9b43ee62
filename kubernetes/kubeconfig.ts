import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Fault } from '../ground/fault.ts';
import { isJsonObject, type JsonObject } from '../ground/json.ts';
import type { Login, LoginSource, TlsSettings } from './login.ts';

/** The parts of a kubeconfig (k8s.io/client-go, clientcmd/api/v1) that its current context names. */
interface CurrentContext {
  cluster: JsonObject;
  user: JsonObject;
}

/** What takes programs, other protocols or proxies: `libraryLogin` does that. */
const INVOLVED = { user: ['exec', 'auth-provider'], cluster: ['proxy-url'] } as const;

/**
 * The login that the current context of a kubeconfig describes. The file, and what it names, is read each time. Files,
 * tokens, passwords and impersonation are understood here; login programs, login providers and proxies by
 * `@kubernetes/client-node`, which is loaded for them: it takes 64 MB and most of a second.
 */
export function kubeconfigLogin(file: string): LoginSource {
  let involved: LoginSource | undefined;
  return async () => {
    try {
      const context = currentContext(await parse(await readFile(file, 'utf8')));
      if (INVOLVED.user.every((key) => !context.user[key]) && !context.cluster[INVOLVED.cluster[0]])
        return await plainLogin(context, dirname(file));
    } catch (cause) {
      throw new Fault('precondition', `The kubeconfig ${file} cannot be read`, { cause });
    }
    involved ??= (await import('./library-login.ts')).libraryLogin(file);
    return await involved();
  };
}

async function parse(text: string): Promise<unknown> {
  // JSON is YAML, and read by Node itself.
  if (text.trimStart().startsWith('{')) return JSON.parse(text);
  const { CORE_SCHEMA, load } = await import('js-yaml');
  return load(text, { schema: CORE_SCHEMA });
}

function currentContext(config: unknown): CurrentContext {
  if (!isJsonObject(config)) throw new Error('It is no object');
  const context = entry(config, 'contexts', config['current-context'], 'context');
  const cluster = entry(config, 'clusters', context['cluster'], 'cluster');
  if (typeof cluster['server'] !== 'string' || cluster['server'] === '')
    throw new Error('The current context names no server');
  // A context without a user is that of a server which asks for none.
  const user = context['user'] === undefined ? {} : entry(config, 'users', context['user'], 'user');
  return { cluster, user };
}

function entry(config: JsonObject, list: string, name: unknown, key: string): JsonObject {
  const entries = Array.isArray(config[list]) ? (config[list] as unknown[]) : [];
  const found = entries.filter(isJsonObject).find((one) => one['name'] === name);
  const value = found?.[key];
  if (typeof name === 'string' && isJsonObject(value)) return value;
  throw new Error(`There is no ${key} ${JSON.stringify(name)} in it`);
}

async function plainLogin({ cluster, user }: CurrentContext, directory: string): Promise<Login> {
  const server = cluster['server'] as string;
  const trusting = cluster['insecure-skip-tls-verify'] === true;
  if (server.startsWith('http:') && !trusting)
    throw new Error(`${server} is not encrypted, and insecure-skip-tls-verify does not allow that`);
  const read = (values: JsonObject, key: string): Promise<Buffer | undefined> =>
    contentOf(values, key, directory);
  const [ca, cert, key] = await Promise.all([
    read(cluster, 'certificate-authority'),
    read(user, 'client-certificate'),
    read(user, 'client-key'),
  ]);
  const name = cluster['tls-server-name'];
  const tls: TlsSettings = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(typeof name === 'string' && name !== '' ? { servername: name } : {}),
    ...(trusting ? { rejectUnauthorized: false } : {}),
  };
  return { server, tls, headers: { ...(await authorization(user, directory)), ...impersonation(user) } };
}

/** What `key` names, or what stands in `key-data` in base64, which comes first. */
async function contentOf(values: JsonObject, key: string, directory: string): Promise<Buffer | undefined> {
  const data = values[`${key}-data`];
  if (typeof data === 'string' && data !== '') return Buffer.from(data, 'base64');
  const file = values[key];
  if (typeof file !== 'string' || file === '') return undefined;
  return await readFile(resolve(directory, file));
}

async function authorization(user: JsonObject, directory: string): Promise<Login['headers']> {
  const { tokenFile, token, username, password } = user;
  if (typeof tokenFile === 'string' && tokenFile !== '') {
    const text = await readFile(resolve(directory, tokenFile), 'utf8');
    return { authorization: `Bearer ${text.trim()}` };
  }
  if (typeof token === 'string' && token !== '') return { authorization: `Bearer ${token}` };
  if (typeof username !== 'string' || username === '') return {};
  const pair = `${username}:${typeof password === 'string' ? password : ''}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Kubernetes documentation, "User impersonation". */
function impersonation(user: JsonObject): Login['headers'] {
  const { as: name, 'as-uid': uid, 'as-groups': groups, 'as-user-extra': extra } = user;
  if (typeof name !== 'string' || name === '') return {};
  return {
    'impersonate-user': name,
    ...(typeof uid === 'string' && uid !== '' ? { 'impersonate-uid': uid } : {}),
    ...(Array.isArray(groups) ? { 'impersonate-group': groups.map(String) } : {}),
    ...Object.fromEntries(
      Object.entries(isJsonObject(extra) ? extra : {}).map(([key, values]) => [
        `impersonate-extra-${encodeURIComponent(key).toLowerCase()}`,
        [values].flat().map(String),
      ]),
    ),
  };
}
