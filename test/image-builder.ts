import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { tarArchive, type NewEntry } from '../image/tar/writer.ts';

export type Compression = 'gzip' | 'zstd' | 'none';

export interface LayerBuild {
  files: NewEntry[];
  /** Default gzip. */
  compression?: Compression;
}

export interface Platform {
  architecture: string;
  os: string;
  variant?: string;
}

export interface ImageBuild {
  layers: LayerBuild[];
  /** The `config` object of the image's configuration, in the words of the OCI image specification. */
  config?: Record<string, unknown>;
  /** Annotations of the manifests. */
  annotations?: Record<string, string>;
  /** Media types of manifest, configuration, layers and index. Default `oci`. */
  mediaTypes?: 'oci' | 'docker';
  /** With more than one platform the image is an index; each platform's `PLATFORM` variable says which it is. */
  platforms?: Platform[];
}

export interface Blob {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

export interface BuiltImage {
  /** Index or manifest: what the tag names. */
  top: Blob;
  /** One a platform, in the order asked for. */
  manifests: Blob[];
  /** Digest of the configuration of each platform. */
  imageIds: string[];
  /** Configurations and layers. */
  blobs: Blob[];
}

const MEDIA = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    none: 'application/vnd.oci.image.layer.v1.tar',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    none: 'application/vnd.docker.image.rootfs.diff.tar',
    gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    zstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  },
};

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Builds an image in memory: layers, configurations, manifests and, for several platforms, the index. */
export function buildImage(build: ImageBuild): BuiltImage {
  const media = MEDIA[build.mediaTypes ?? 'oci'];
  const tars = build.layers.map((layer) => tarArchive(layer.files));
  const layers = build.layers.map((layer, i) => {
    const compression = layer.compression ?? 'gzip';
    const tar = tars[i]!;
    const bytes = {
      none: () => tar,
      gzip: () => gzipSync(tar, { level: 6 }),
      zstd: () => zstdCompressSync(tar),
    };
    return blobOf(media[compression], bytes[compression]());
  });
  const platforms = build.platforms ?? [{ architecture: 'amd64', os: 'linux' }];
  const several = platforms.length > 1;
  const configs = platforms.map((platform) => {
    const config = { ...build.config };
    if (several) {
      const env = (config['Env'] as string[] | undefined) ?? [];
      config['Env'] = [...env, `PLATFORM=${platform.os}/${platform.architecture}/${platform.variant ?? ''}`];
    }
    const rootfs = { type: 'layers', diff_ids: tars.map(sha256) };
    return blobOf(media.config, json({ ...platform, config, rootfs, history: [] }));
  });
  const manifests = configs.map((config) =>
    blobOf(
      media.manifest,
      json({
        schemaVersion: 2,
        mediaType: media.manifest,
        config: descriptor(config),
        layers: layers.map(descriptor),
        ...(build.annotations && { annotations: build.annotations }),
      }),
    ),
  );
  const top = several
    ? blobOf(
        media.index,
        json({
          schemaVersion: 2,
          mediaType: media.index,
          manifests: manifests.map((manifest, i) => ({ ...descriptor(manifest), platform: platforms[i] })),
        }),
      )
    : manifests[0]!;
  return { top, manifests, imageIds: configs.map((config) => config.digest), blobs: [...configs, ...layers] };
}

/**
 * Builds an image and pushes it to the registry at `address` under `name:tag` (distribution API, monolithic
 * uploads). Returns what was built.
 */
export async function pushImage(address: string, reference: string, build: ImageBuild): Promise<BuiltImage> {
  const built = buildImage(build);
  await pushBuilt(address, reference, built);
  return built;
}

/** Pushes an image that is already built. */
export async function pushBuilt(address: string, reference: string, built: BuiltImage): Promise<void> {
  const colon = reference.lastIndexOf(':');
  const [name, tag] = [reference.slice(0, colon), reference.slice(colon + 1)];
  const agent = new Agent({ keepAlive: true });
  const call = (method: string, path: string, body?: Buffer, type?: string): Promise<Reply> =>
    send(agent, new URL(path, `http://${address}`), method, body, type);
  try {
    for (const blob of built.blobs) {
      if ((await call('HEAD', `/v2/${name}/blobs/${blob.digest}`)).status === 200) continue;
      const begun = expectStatus(await call('POST', `/v2/${name}/blobs/uploads/`), 202);
      const target = new URL(begun.location, `http://${address}`);
      target.searchParams.set('digest', blob.digest);
      expectStatus(
        await call('PUT', target.pathname + target.search, blob.bytes, 'application/octet-stream'),
        201,
      );
    }
    const several = built.manifests.length > 1 ? built.manifests : [];
    for (const manifest of several) {
      const path = `/v2/${name}/manifests/${manifest.digest}`;
      expectStatus(await call('PUT', path, manifest.bytes, manifest.mediaType), 201);
    }
    const { bytes, mediaType } = built.top;
    expectStatus(await call('PUT', `/v2/${name}/manifests/${tag}`, bytes, mediaType), 201);
  } finally {
    agent.destroy();
  }
}

const APPLETS =
  `[ awk basename cat chgrp chmod chown cp cut date dd df dirname du echo env expr false find free grep
gunzip gzip head hostname httpd id ifconfig ip kill killall less ln ls md5sum mkdir mkfifo mknod mktemp mount mv nc
netstat nproc nslookup od ping ping6 pidof printf ps pwd readlink realpath rm rmdir route sed
seq setsid sh sha256sum sleep sort stat stty su sync tail tar tee telnet test time timeout top touch tr true truncate
tty umount uname uniq unshare uptime usleep vi wc wget which who whoami xargs xxd yes`.split(/\s+/);

/** A small image that can do things: static busybox with links for its applets, a few users and groups, /tmp. */
export function busyboxImage(): ImageBuild {
  const directory = (path: string, mode = 0o755): NewEntry => ({ path, type: 'directory', mode });
  const files: NewEntry[] = [
    ...['bin/', 'dev/', 'etc/', 'home/', 'proc/', 'sys/', 'usr/', 'usr/bin/', 'var/'].map((path) =>
      directory(path),
    ),
    directory('root/', 0o700),
    directory('tmp/', 0o1777),
    { path: 'bin/busybox', mode: 0o755, content: readFileSync('/bin/busybox') },
    ...APPLETS.map((name): NewEntry => ({ path: `bin/${name}`, type: 'symlink', link: 'busybox' })),
    { path: 'usr/bin/env', type: 'symlink', link: '../../bin/busybox' },
    {
      path: 'etc/passwd',
      content: `root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
alice:x:1000:1000:Alice:/home/alice:/bin/sh
bob:x:1001:1001:Bob:/home/bob:/bin/sh
`,
    },
    {
      path: 'etc/group',
      content: `root:x:0:
nogroup:x:65534:
alice:x:1000:
bob:x:1001:
staff:x:50:alice,bob
audio:x:29:alice
`,
    },
    { path: 'home/alice/', type: 'directory', uid: 1000, gid: 1000 },
    { path: 'home/bob/', type: 'directory', uid: 1001, gid: 1001 },
  ];
  return {
    layers: [{ files }],
    config: {
      Env: ['PATH=/bin:/usr/bin'],
      Cmd: ['sh'],
      WorkingDir: '/',
      Labels: { 'org.example.name': 'busybox' },
    },
  };
}

interface Reply {
  status: number;
  location: string;
  text: string;
}

function send(agent: Agent, url: URL, method: string, body?: Buffer, type?: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = { 'content-length': body?.length ?? 0 };
    if (type !== undefined) headers['content-type'] = type;
    const call = request(url, { method, headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '', text }),
      );
    });
    call.on('error', reject);
    call.end(body);
  });
}

function expectStatus(reply: Reply, status: number): Reply {
  if (reply.status !== status) throw new Error(`Registry answered ${reply.status}: ${reply.text}`);
  return reply;
}

function blobOf(mediaType: string, bytes: Buffer): Blob {
  return { digest: sha256(bytes), mediaType, bytes };
}

function descriptor(blob: Blob): { mediaType: string; digest: string; size: number } {
  return { mediaType: blob.mediaType, digest: blob.digest, size: blob.bytes.length };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
