import type { PullAuth } from '../images.ts';
import type { RegistryHost } from './hosts.ts';

/** What proves the caller's right, in the one form that was given. */
export type Credentials =
  | { kind: 'anonymous' }
  | { kind: 'basic'; username: string; password: string }
  /** An OAuth 2 refresh token, to be changed for a token at the registry's token server. */
  | { kind: 'identity'; token: string }
  /** A bearer token to be sent as it is. */
  | { kind: 'bearer'; token: string };

/** The credentials of a CRI AuthConfig (api.proto), most specific field first. `auth` is base64 of `user:password`. */
export function credentialsFrom(auth: PullAuth | undefined): Credentials {
  if (auth === undefined) return { kind: 'anonymous' };
  if (auth.registryToken !== '') return { kind: 'bearer', token: auth.registryToken };
  if (auth.identityToken !== '') return { kind: 'identity', token: auth.identityToken };
  if (auth.username !== '') return { kind: 'basic', username: auth.username, password: auth.password };
  if (auth.auth === '') return { kind: 'anonymous' };
  const [username, ...password] = Buffer.from(auth.auth, 'base64').toString('utf8').split(':');
  // docker config files pad the decoded text with NULs.
  const trimmed = password.join(':').replace(/\0+$/, '');
  return { kind: 'basic', username: username ?? '', password: trimmed };
}

/**
 * Whether `host` may see credentials given for `registry`. An address beside them decides; without one they are
 * for the registry's own server and not for its mirrors.
 */
export function mayReceive(host: RegistryHost, auth: PullAuth | undefined): boolean {
  const named = auth?.serverAddress ?? '';
  if (named === '') return host.origin;
  const address = /^[a-z]+:\/\//.test(named) ? named : `https://${named}`;
  const wanted = URL.parse(address)?.host ?? '';
  const own = host.base.host;
  // Docker's configuration files call its registry index.docker.io.
  return (
    wanted === own || (own === 'registry-1.docker.io' && ['index.docker.io', 'docker.io'].includes(wanted))
  );
}

/** `Authorization` value of the Basic scheme (RFC 7617). */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
