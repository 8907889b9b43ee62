import { Fault } from '../ground/fault.ts';
import { DIGEST } from './reference.ts';
import type { ImageConfig } from './images.ts';
import type { Descriptor, Platform } from './descriptor.ts';

/** Bounds on documents that are held in memory whole. */
export const MAX_MANIFEST = 4 * 1024 * 1024;
export const MAX_CONFIG = 8 * 1024 * 1024;
const MAX_LAYERS = 500;

/** What a registry is asked for, in order of preference. */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const INDEX_TYPES = new Set([MANIFEST_TYPES[0], MANIFEST_TYPES[2]]);
const IMAGE_TYPES = new Set([MANIFEST_TYPES[1], MANIFEST_TYPES[3]]);

/** Configurations of container images; some old tools pushed theirs as plain bytes. */
const CONFIG_TYPES = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
  'application/octet-stream',
  '',
]);

/** Tar layers of the OCI specification and of Docker. */
const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)(?:[.+](?:gzip|zstd))?$/;
/** Layers that are to be fetched from addresses that the image itself names. */
const FOREIGN_TYPE = /\.image\.layer\.nondistributable\.|\.image\.rootfs\.foreign\./;

export interface Manifest {
  kind: 'image';
  config: Descriptor;
  layers: Descriptor[];
}

export interface Index {
  kind: 'index';
  manifests: Descriptor[];
}

/** The parts of a configuration blob that Berth uses. */
export interface ConfigBlob {
  platform: Platform;
  diffIds: string[];
  config: ImageConfig;
}

/**
 * Reads a manifest or an index. `mediaType` is what the sender said; the document's own word wins.
 * Throws Fault('invalid') for what is neither, with the reason.
 */
export function parseManifest(bytes: Buffer, mediaType: string): Manifest | Index {
  const document = object(parseJson(bytes, 'manifest'), 'The manifest');
  const type = typeof document['mediaType'] === 'string' ? document['mediaType'] : mediaType;
  if (INDEX_TYPES.has(type) || (!IMAGE_TYPES.has(type) && Array.isArray(document['manifests']))) {
    return { kind: 'index', manifests: list(document['manifests'], 'manifests').map(descriptor) };
  }
  if (document['schemaVersion'] === 1) {
    throw new Fault('invalid', 'The image has a manifest of Docker schema 1, which is no longer served', {
      hint: 'push the image again with a current tool',
    });
  }
  if (!IMAGE_TYPES.has(type) && document['config'] === undefined) {
    throw new Fault(
      'invalid',
      `The registry answered with ${JSON.stringify(type)}, which is no image manifest`,
    );
  }
  const config = descriptor(document['config']);
  if (!CONFIG_TYPES.has(config.mediaType)) throw artifact(text(document['artifactType']) || config.mediaType);
  const layers = list(document['layers'], 'layers').map(descriptor);
  checkLayers(layers);
  return { kind: 'image', config, layers };
}

/** Charts, signatures, policies and the like use the same manifest (OCI image specification, "Guidelines for artifact usage"). */
function artifact(type: string): Fault {
  return new Fault(
    'invalid',
    `The reference names an artifact of type ${JSON.stringify(type)}, no container image`,
    {
      hint: 'name an image; charts and other artifacts have tools of their own',
    },
  );
}

function checkLayers(layers: Descriptor[]): void {
  if (layers.length > MAX_LAYERS) {
    throw new Fault('invalid', `The image has ${layers.length} layers, more than ${MAX_LAYERS}`);
  }
  for (const { mediaType } of layers) {
    if (LAYER_TYPE.test(mediaType)) continue;
    const type = JSON.stringify(mediaType);
    if (FOREIGN_TYPE.test(mediaType)) {
      throw new Fault('invalid', `A layer of type ${type} is foreign: its registry does not hand it out`, {
        hint: 'push the image again with its foreign layers included',
      });
    }
    const why = mediaType.includes('encrypted') ? 'encrypted: no key is at hand' : 'no tar';
    throw new Fault('invalid', `A layer has the media type ${type}, which is ${why}`);
  }
}

/** Reads a configuration blob (OCI image specification, config.md; Docker's is the same). Throws Fault('invalid'). */
export function parseConfigBlob(bytes: Buffer): ConfigBlob {
  const document = object(parseJson(bytes, 'image configuration'), 'The image configuration');
  const rootfs = object(document['rootfs'], 'rootfs');
  const diffIds = list(rootfs['diff_ids'], 'diff_ids').map((id) => {
    if (typeof id === 'string' && DIGEST.test(id)) return id;
    throw new Fault('invalid', `The image configuration has ${JSON.stringify(id)} for a diff id`);
  });
  const config = document['config'] === undefined ? {} : object(document['config'] ?? {}, 'config');
  return {
    platform: {
      os: text(document['os']) || 'linux',
      architecture: text(document['architecture']),
      variant: text(document['variant']),
    },
    diffIds,
    config: {
      user: text(config['User']),
      env: texts(config['Env']),
      entrypoint: texts(config['Entrypoint']),
      cmd: texts(config['Cmd']),
      workingDir: text(config['WorkingDir']),
      volumes: Object.keys(optionalObject(config['Volumes'])),
      labels: textMap(config['Labels']),
      stopSignal: text(config['StopSignal']),
    },
  };
}

/** Reads one descriptor; `what` follows the document's shape. Throws Fault('invalid'). */
export function descriptor(value: unknown): Descriptor {
  const fields = object(value, 'A descriptor');
  const { digest, size } = fields;
  if (typeof digest !== 'string' || !DIGEST.test(digest)) {
    throw new Fault('invalid', `A descriptor has the digest ${JSON.stringify(digest)}`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw new Fault('invalid', `The descriptor of ${digest} has the size ${JSON.stringify(size)}`);
  }
  const platform = fields['platform'] === undefined ? undefined : optionalObject(fields['platform']);
  return {
    mediaType: text(fields['mediaType']),
    digest,
    size,
    annotations: textMap(fields['annotations']),
    platform: platform && {
      os: text(platform['os']),
      architecture: text(platform['architecture']),
      variant: text(platform['variant']),
    },
  };
}

/** JSON from outside. Throws Fault('invalid') naming `what`. */
export function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (cause) {
    throw new Fault('invalid', `The ${what} is no JSON`, { cause });
  }
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Fault('invalid', `${what} is no JSON object`);
}

/** Go writes an absent map as null. */
function optionalObject(value: unknown): Record<string, unknown> {
  return value === undefined || value === null ? {} : object(value, 'A field of the image');
}

function list(value: unknown, what: string): unknown[] {
  if (Array.isArray(value)) return value;
  if (value === undefined || value === null) return [];
  throw new Fault('invalid', `The field ${what} is no list`);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: unknown): string[] {
  return list(value, 'of texts').filter((item) => typeof item === 'string');
}

function textMap(value: unknown): Record<string, string> {
  const entries = Object.entries(optionalObject(value));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
