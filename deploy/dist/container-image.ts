import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { sha256Of, writeTar } from './archive.ts';

/*
 * The container image of a release: two layers, written without a container engine.
 *
 *   1. what Node needs of Debian (its C, C++ and atomic libraries) and a busybox for the launcher's shell
 *   2. the release below /usr/local
 *
 * It is written twice, as an OCI layout (a directory) and as a docker archive (a tar file).
 */

/** Debian packages of the first layer. */
export const BASE_PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1', 'busybox-static'];

const OCI = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

export interface ImageOptions {
  /** The staged release, as it will stand in /usr/local. */
  prefix: string;
  version: string;
  /** Seconds since 1970. */
  epoch: number;
  /** A directory for what is on the way. */
  scratch: string;
  /** Where `oci/` and `docker-archive.tar` go: their paths. */
  layout: string;
  dockerArchive: string;
  note: (text: string) => void;
}

interface Layer {
  /** Of the compressed archive. */
  digest: string;
  size: number;
  /** Of the plain one. */
  diffId: string;
  plain: string;
}

/** Writes the image for the machine that builds. Throws Error when the Debian packages cannot be had. */
export async function writeImage(options: ImageOptions): Promise<void> {
  const { version, epoch, scratch, layout, note } = options;
  rmSync(scratch, { recursive: true, force: true });
  rmSync(layout, { recursive: true, force: true });
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const base = join(scratch, 'base');
  const packages = unpackDebian(base, join(scratch, 'packages'), note);
  const program = join(scratch, 'program/usr/local');
  mkdirSync(program, { recursive: true });
  cpSync(options.prefix, program, { recursive: true });
  const layers: Layer[] = [];
  for (const directory of [base, join(scratch, 'program')])
    layers.push(await writeLayer(directory, blobs, epoch));
  const created = new Date(epoch * 1000).toISOString();
  const config = {
    created,
    architecture: 'amd64',
    os: 'linux',
    config: {
      Entrypoint: ['/usr/local/bin/berth'],
      Cmd: ['--help'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      WorkingDir: '/',
      Labels: {
        'org.opencontainers.image.title': 'Berth',
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'io.berth.base': packages.join(' '),
      },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => `sha256:${diffId}`) },
    history: [
      { created, created_by: `Debian packages ${packages.join(' ')}` },
      { created, created_by: `berth ${version}` },
    ],
  };
  const text = JSON.stringify(config);
  const configBlob = writeBlob(blobs, text);
  const manifest = writeBlob(
    blobs,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI.manifest,
      config: { mediaType: OCI.config, ...configBlob },
      layers: layers.map(({ digest, size }) => ({ mediaType: OCI.layer, digest: `sha256:${digest}`, size })),
    }),
  );
  const name = `berth:${version}`;
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI.index,
      manifests: [
        {
          mediaType: OCI.manifest,
          ...manifest,
          platform: { architecture: 'amd64', os: 'linux' },
          annotations: { 'org.opencontainers.image.ref.name': version, 'io.containerd.image.name': name },
        },
      ],
    }),
  );
  await writeDockerArchive(options, name, text, layers);
  rmSync(scratch, { recursive: true, force: true });
}

/** `image.tar` of `docker save`: manifest.json, the configuration, plain layers. */
async function writeDockerArchive(
  { dockerArchive, scratch, epoch }: ImageOptions,
  name: string,
  config: string,
  layers: Layer[],
): Promise<void> {
  const directory = join(scratch, 'docker');
  mkdirSync(directory);
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  writeFileSync(join(directory, configName), config);
  for (const { plain, diffId } of layers) renameSync(plain, join(directory, `${diffId}.tar`));
  const Layers = layers.map(({ diffId }) => `${diffId}.tar`);
  const repoTags = [`docker.io/library/${name}`];
  writeFileSync(
    join(directory, 'manifest.json'),
    JSON.stringify([{ Config: configName, RepoTags: repoTags, Layers }]),
  );
  await writeTar(directory, dockerArchive, epoch);
}

async function writeLayer(directory: string, blobs: string, epoch: number): Promise<Layer> {
  const plain = `${directory}.tar`;
  await writeTar(directory, plain, epoch);
  const compressed = `${directory}.tar.gz`;
  await writeTar(directory, compressed, epoch);
  const digest = await sha256Of(compressed);
  renameSync(compressed, join(blobs, digest));
  return { digest, size: statSync(join(blobs, digest)).size, diffId: await sha256Of(plain), plain };
}

function writeBlob(blobs: string, text: string): { digest: string; size: number } {
  const digest = createHash('sha256').update(text).digest('hex');
  writeFileSync(join(blobs, digest), text);
  return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
}

/**
 * Fetches the packages by the machine's own apt and unpacks the libraries and busybox out of them. Returns
 * `name=version` of each.
 */
function unpackDebian(base: string, downloads: string, note: (text: string) => void): string[] {
  note(`the image's base: ${BASE_PACKAGES.join(', ')}`);
  const all = join(downloads, 'all');
  mkdirSync(all, { recursive: true });
  fetchDebian(BASE_PACKAGES, downloads, all);
  // The licence of some libraries is in a package that they share.
  const docs = join(all, 'usr/share/doc');
  const shared = readdirSync(docs).filter((name) => !existsSync(join(docs, name)));
  fetchDebian([...new Set(shared.map((name) => readlinkSync(join(docs, name))))], downloads, all);
  // One tree of libraries below /usr, as Debian has it, with the old names as links.
  const libraries = join(base, 'usr/lib/x86_64-linux-gnu');
  const others = ['usr/lib64', 'usr/bin', 'usr/share/doc', 'etc', 'tmp'].map((name) => join(base, name));
  for (const directory of [libraries, ...others]) mkdirSync(directory, { recursive: true });
  chmodSync(join(base, 'tmp'), 0o1777);
  for (const from of ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'])
    cpSync(join(all, from), libraries, { recursive: true, verbatimSymlinks: true, filter: wanted });
  symlinkSync('../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2', join(base, 'usr/lib64/ld-linux-x86-64.so.2'));
  for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(base, name));
  copyFileSync(join(all, 'bin/busybox'), join(base, 'usr/bin/busybox'));
  for (const applet of ['sh', 'ls', 'cat', 'cp', 'readlink'])
    symlinkSync('busybox', join(base, 'usr/bin', applet));
  writeFileSync(join(base, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(base, 'etc/group'), 'root:x:0:\n');
  for (const name of readdirSync(docs)) {
    mkdirSync(join(base, 'usr/share/doc', name));
    copyFileSync(join(docs, name, 'copyright'), join(base, 'usr/share/doc', name, 'copyright'));
  }
  const files = readdirSync(downloads).filter((file) => file.endsWith('.deb'));
  return files.sort().map((file) => {
    const [name, version] = file.split('_') as [string, string];
    return `${name}=${decodeURIComponent(version)}`;
  });
}

function fetchDebian(packages: string[], downloads: string, into: string): void {
  const before = new Set(readdirSync(downloads));
  execFileSync('apt-get', ['-q', 'download', ...packages], {
    cwd: downloads,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 120_000,
  });
  for (const file of readdirSync(downloads).filter((name) => !before.has(name)))
    execFileSync('dpkg-deb', ['-x', file, into], { cwd: downloads });
}

/** Without what only other programs use: character sets (5 MB) and audit hooks. */
function wanted(path: string): boolean {
  return !/\/(gconv|audit)(\/|$)/.test(path);
}
