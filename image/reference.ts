import { Fault } from '../ground/fault.ts';

/**
 * Where an image is to be found, all short forms filled in. A reference has a tag, or a digest, never both: like
 * its peers Berth lets the digest decide and drops the tag beside it.
 */
export interface Reference {
  /** Host with optional port: `docker.io`, `127.0.0.1:5000`, `[::1]:5000`. */
  registry: string;
  /** `library/busybox`. */
  repository: string;
  tag: string | undefined;
  digest: string | undefined;
}

/** The grammar of the distribution project (reference.go): lower case words, joined by `.`, `_`, `__` or dashes. */
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const REGISTRY = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`);
const HEX_ID = /^[a-f0-9]{64}$/;
const MAX_NAME = 255;

/** Digests whose algorithm Berth can verify (OCI image specification, descriptor.md, registered algorithms). */
export const DIGEST = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;

/**
 * Reads what a user writes: `busybox`, `busybox:1`, `localhost/x`, `host:5000/a/b@sha256:…`.
 * Throws Fault('invalid') that says which part is wrong.
 */
export function parseReference(text: string): Reference {
  const refuse = (why: string, hint?: string): never => {
    throw new Fault('invalid', `The image reference ${quote(text)} cannot be read: ${why}`, { hint });
  };
  if (text === '') return refuse('it is empty');
  if (HEX_ID.test(text)) return refuse('64 hexadecimal digits are an image id, not a name');

  const [head, digest, ...more] = text.split('@');
  if (more.length > 0) return refuse('it has more than one @');
  if (digest !== undefined && !DIGEST.test(digest)) {
    return refuse(`${quote(digest)} is no digest`, 'a digest is sha256: and 64 hexadecimal digits');
  }
  const { name, tag } = splitTag(head!);
  if (tag !== undefined && !TAG.test(tag)) return refuse(`${quote(tag)} is no tag`);

  const { registry, repository } = splitRegistry(name);
  if (!REGISTRY.test(registry)) return refuse(`${quote(registry)} is no registry host`);
  if (repository === '') return refuse('it names no repository');
  if (/[A-Z]/.test(repository)) return refuse('a repository name is lower case');
  if (!repository.split('/').every((part) => COMPONENT.test(part))) {
    return refuse(`${quote(repository)} is no repository name`);
  }
  if (registry.length + 1 + repository.length > MAX_NAME)
    return refuse(`it is longer than ${MAX_NAME} bytes`);
  return { registry, repository, digest, tag: digest === undefined ? (tag ?? 'latest') : undefined };
}

/** `docker.io/library/busybox`. */
export function repositoryName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** The full form: `docker.io/library/busybox:1` or `docker.io/library/busybox@sha256:…`. */
export function fullName(reference: Reference): string {
  const { tag, digest } = reference;
  return repositoryName(reference) + (digest === undefined ? `:${tag}` : `@${digest}`);
}

function splitTag(head: string): { name: string; tag: string | undefined } {
  const colon = head.lastIndexOf(':');
  if (colon <= head.lastIndexOf('/')) return { name: head, tag: undefined };
  return { name: head.slice(0, colon), tag: head.slice(colon + 1) };
}

/** The first part is a host when it cannot be a path component: it has a dot, a colon, a capital, or is localhost. */
function splitRegistry(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  if (first !== 'localhost' && !/[.:A-Z]/.test(first)) return withDefaults('docker.io', name);
  return withDefaults(first, name.slice(slash + 1));
}

function withDefaults(host: string, repository: string): { registry: string; repository: string } {
  const registry = host === 'index.docker.io' ? 'docker.io' : host;
  const official = registry === 'docker.io' && repository !== '' && !repository.includes('/');
  return { registry, repository: official ? `library/${repository}` : repository };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}
