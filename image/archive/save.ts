import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import type { StoredImage } from '../catalog.ts';
import { digestOf } from '../digest.ts';
import type { SaveOptions } from '../images.ts';
import { LayerAudit } from '../layers/audit.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import type { LayerCompression } from '../layers/pack.ts';
import type { LayerOnDisk } from '../layers/rebuild.ts';
import { ArchiveWriter } from './archive-writer.ts';

const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  none: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
};

type Saving = Required<Pick<SaveOptions, 'format' | 'compression'>> & { signal: AbortSignal };

/**
 * Writes image archives: an OCI layout (image-layout.md) or what `docker load` reads. The configuration, and with it
 * the image's id, is the one that came; layers are made again from the store, byte by byte as they were.
 */
export class ArchiveSaver {
  readonly #layers: LayerStore;

  constructor(layers: LayerStore) {
    this.#layers = layers;
  }

  /**
   * Writes the images into the file `path`, whole or not at all. Layers of an OCI layout are compressed one by one, a
   * docker archive as a whole. Faults: `precondition` for a layer that cannot be made again, `data-loss` for one that
   * is damaged, `exhausted` on a full disk.
   */
  async save(images: StoredImage[], path: string, saving: Saving): Promise<void> {
    const { format, compression, signal } = saving;
    const whole = format === 'docker' && compression !== 'none';
    const plain = whole ? `${path}.plain` : path;
    // Asked before anything is written.
    for (const image of images) image.layers.forEach((layer) => this.#need(layer));
    try {
      {
        await using writer = await ArchiveWriter.open(plain);
        await using audit = new LayerAudit();
        if (format === 'oci') await this.#oci(images, writer, audit, compression, signal);
        else await this.#docker(images, writer, audit, signal);
        await writer.finish();
      }
      if (whole) await compress(plain, path, compression, signal);
    } catch (error) {
      if (!isErrno(error, 'ENOSPC', 'EDQUOT') && !/\b(ENOSPC|EDQUOT)\b/.test(String(error))) throw error;
      throw new Fault('exhausted', `There is no room for the archive ${path}`, { cause: error });
    } finally {
      if (whole) await rm(plain, { force: true });
    }
  }

  async #oci(
    images: StoredImage[],
    writer: ArchiveWriter,
    audit: LayerAudit,
    compression: LayerCompression,
    signal: AbortSignal,
  ): Promise<void> {
    await writer.add('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    const manifests: object[] = [];
    const docker: object[] = [];
    for (const image of images) {
      const layers = await this.#blobs(image, writer, audit, compression, signal);
      const config = blob(image.configBlob);
      await writer.add(placeOf(config.digest), image.configBlob);
      const manifest = JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA.manifest,
        config: { mediaType: MEDIA.config, ...config },
        layers,
        ...annotationsOf(image.manifest),
      });
      const described = { mediaType: MEDIA.manifest, ...blob(manifest) };
      await writer.add(placeOf(described.digest), manifest);
      const names = image.repoTags.map((name) => ({
        'io.containerd.image.name': name,
        'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
      }));
      if (names.length === 0) manifests.push(described);
      else manifests.push(...names.map((annotations) => ({ ...described, annotations })));
      docker.push({
        Config: placeOf(config.digest),
        RepoTags: image.repoTags,
        Layers: layers.map(({ digest }) => placeOf(digest)),
      });
    }
    // For readers that know only Docker's form.
    await writer.add('manifest.json', JSON.stringify(docker));
    await writer.add('index.json', JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.index, manifests }));
  }

  async #docker(
    images: StoredImage[],
    writer: ArchiveWriter,
    audit: LayerAudit,
    signal: AbortSignal,
  ): Promise<void> {
    const entries: object[] = [];
    for (const image of images) {
      const Layers: string[] = [];
      for (const chain of image.layers) {
        const layer = this.#need(chain);
        const name = `${hex(layer.diffId)}/layer.tar`;
        Layers.push(name);
        await writer.addLayer(audit, { layer, compression: 'none' }, () => name, signal);
      }
      const Config = `${hex(image.id)}.json`;
      await writer.add(Config, image.configBlob);
      entries.push({ Config, RepoTags: image.repoTags, Layers });
    }
    await writer.add('manifest.json', JSON.stringify(entries));
  }

  async #blobs(
    image: StoredImage,
    writer: ArchiveWriter,
    audit: LayerAudit,
    compression: LayerCompression,
    signal: AbortSignal,
  ): Promise<{ mediaType: string; digest: string; size: number }[]> {
    const layers: { mediaType: string; digest: string; size: number }[] = [];
    for (const chain of image.layers) {
      const layer = this.#need(chain);
      const packed = await writer.addLayer(
        audit,
        { layer, compression },
        ({ digest }) => placeOf(digest),
        signal,
      );
      layers.push({ mediaType: MEDIA[compression], digest: packed.digest, size: packed.size });
    }
    return layers;
  }

  #need(chain: string): LayerOnDisk {
    const layer = this.#layers.onDisk(chain);
    if (layer !== undefined) return layer;
    throw new Fault('precondition', `The layer ${chain} cannot be made again as it came`, {
      hint: 'its archive had a file twice; save the image from its registry',
    });
  }
}

async function compress(
  from: string,
  path: string,
  compression: LayerCompression,
  signal: AbortSignal,
): Promise<void> {
  const partial = `${path}.partial`;
  const encoder = compression === 'gzip' ? createGzip() : createZstdCompress();
  try {
    const output = createWriteStream(partial, { mode: 0o600, flush: true });
    await pipeline(createReadStream(from, { highWaterMark: 1024 * 1024 }), encoder, output, { signal });
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

function blob(content: string): { digest: string; size: number } {
  const bytes = Buffer.from(content);
  return { digest: digestOf(bytes), size: bytes.length };
}

function placeOf(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function hex(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** Annotations of the manifest that came, if one came. */
function annotationsOf(manifest: string): object {
  if (manifest === '') return {};
  const { annotations } = JSON.parse(manifest) as { annotations?: object };
  return annotations === undefined ? {} : { annotations };
}
