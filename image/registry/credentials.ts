import { createHash } from 'node:crypto';
import { Fault } from '../../ground/fault.ts';
import type { PullAuth } from '../images.ts';
import type { Reference } from '../reference.ts';
import type { NodeCredentials } from './auth-files.ts';
import type { RegistryHost } from './hosts.ts';

/** What proves the caller's right, in the one form that was given. */
export type Credentials =
  | { kind: 'anonymous' }
  | { kind: 'basic'; username: string; password: string }
  /** An OAuth 2 refresh token, to be changed for a token at the registry's token server. */
  | { kind: 'identity'; token: string }
  /** A bearer token to be sent as it is. */
  | { kind: 'bearer'; token: string };

/**
 * The credentials of a CRI AuthConfig (api.proto), most specific field first. `auth` is base64 of `user:password`.
 * Throws Fault('invalid') when it is not.
 */
export function credentialsFrom(auth: PullAuth | undefined): Credentials {
  if (auth === undefined) return { kind: 'anonymous' };
  if (auth.registryToken !== '') return { kind: 'bearer', token: auth.registryToken };
  if (auth.identityToken !== '') return { kind: 'identity', token: auth.identityToken };
  if (auth.username !== '') return { kind: 'basic', username: auth.username, password: auth.password };
  if (auth.auth === '') return { kind: 'anonymous' };
  const [username, ...password] = Buffer.from(auth.auth, 'base64').toString('utf8').split(':');
  if (password.length === 0) {
    throw new Fault('invalid', 'The field auth of the credentials is not base64 of user:password');
  }
  // docker config files pad the decoded text with NULs.
  const trimmed = password.join(':').replace(/\0+$/, '');
  return { kind: 'basic', username: username ?? '', password: trimmed };
}

/**
 * What to show `host` of those who ask for `reference`: what the caller gave, if that is for this host, else what the
 * node's files have for it.
 */
export function credentialsFor(
  host: RegistryHost,
  { registry, repository }: Reference,
  auth: PullAuth | undefined,
  node: NodeCredentials,
): Credentials {
  if (auth !== undefined && mayReceive(host, auth)) return credentialsFrom(auth);
  return credentialsFrom(node.find(nameOnNode(host, registry), repository));
}

/** The names under which the node's own credentials are wanted: those of the hosts that the caller gave none for. */
export function registriesOf(
  hosts: RegistryHost[],
  { registry }: Reference,
  auth: PullAuth | undefined,
): string[] {
  const own = hosts.filter((host) => auth === undefined || !mayReceive(host, auth));
  return [...new Set(own.map((host) => nameOnNode(host, registry)))];
}

/** A mirror goes by its own name. */
function nameOnNode(host: RegistryHost, registry: string): string {
  return host.origin ? registry : host.base.host;
}

/**
 * Whether `host` may see credentials given for `registry`. An address beside them decides; without one they are
 * for the registry's own server and not for its mirrors.
 */
export function mayReceive(host: RegistryHost, auth: PullAuth | undefined): boolean {
  const named = auth?.serverAddress ?? '';
  if (named === '') return host.origin;
  const address = /^[a-z]+:\/\//.test(named) ? named : `https://${named}`;
  return (URL.parse(address)?.host ?? '') === host.base.host || namesDockerHub(host, address);
}

/** Docker's configuration files call its registry index.docker.io. */
function namesDockerHub(host: RegistryHost, address: string): boolean {
  const named = URL.parse(address)?.host ?? '';
  return host.base.host === 'registry-1.docker.io' && ['index.docker.io', 'docker.io'].includes(named);
}

/** A word that differs between different credentials and tells nothing of them. */
export function fingerprint(credentials: Credentials | PullAuth | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify(credentials ?? null))
    .digest('hex');
}

/** `Authorization` value of the Basic scheme (RFC 7617). */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
