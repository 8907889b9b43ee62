import { createHash } from 'node:crypto';
import { Fault, faultAt } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { Stage, StageSink } from '../ground/stages.ts';
import type { Catalog, StoredImage } from './catalog.ts';
import type { PullAuth, PullProgress } from './images.ts';
import type { Installer, ResolvedImage } from './install.ts';
import type { LayerStore } from './layers/layer-store.ts';
import { MAX_CONFIG, parseManifest, type Manifest } from './manifest.ts';
import { choosePlatform } from './platform.ts';
import { fullName, parseReference, repositoryName, type Reference } from './reference.ts';
import { RegistryClient, type FetchedManifest } from './registry/client.ts';
import { registryHosts } from './registry/hosts.ts';
import type { TransferLimits } from './registry/transport.ts';
import { SharedWork } from './shared-work.ts';

/** Indexes may lie in indexes, this deep. */
const MAX_NESTING = 4;

export interface PullOptions {
  auth?: PullAuth;
  signal?: AbortSignal;
  progress?: (progress: PullProgress) => void;
}

/** PullImage: resolve, fetch, unpack, commit; one pull an image and credentials however many ask for it. */
export class Puller {
  readonly #running = new SharedWork<StoredImage, PullProgress>();
  readonly #layers: LayerStore;
  readonly #catalog: Catalog;
  readonly #installer: Installer;
  readonly #stages: StageSink;
  readonly #log: Log;
  readonly #registryConfigDir: string;
  readonly #transfer: TransferLimits;
  readonly #warm: () => void;

  constructor(options: {
    layers: LayerStore;
    catalog: Catalog;
    installer: Installer;
    stages: StageSink;
    log: Log;
    registryConfigDir: string;
    transfer: TransferLimits;
    /** Called when layers will have to be unpacked soon. */
    warm: () => void;
  }) {
    this.#layers = options.layers;
    this.#catalog = options.catalog;
    this.#installer = options.installer;
    this.#stages = options.stages;
    this.#log = options.log;
    this.#registryConfigDir = options.registryConfigDir;
    this.#transfer = options.transfer;
    this.#warm = options.warm;
  }

  /** See Images.pull. Throws Faults that name the image and the stage. */
  async pull(text: string, { auth, signal, progress }: PullOptions): Promise<StoredImage> {
    const reference = parseReference(text);
    const name = fullName(reference);
    // Other credentials are another question to the registry; their layers still meet in the layer store.
    const key = `${name} ${fingerprint(auth)}`;
    const caller = { signal, listener: progress };
    try {
      return await this.#running.join(key, caller, (inner, tell) => this.#pull(reference, auth, inner, tell));
    } catch (error) {
      throw faultAt(error, `image ${name}`, 'resolve');
    }
  }

  async #pull(
    reference: Reference,
    auth: PullAuth | undefined,
    signal: AbortSignal,
    progress: (progress: PullProgress) => void,
  ): Promise<StoredImage> {
    const name = fullName(reference);
    let at: Stage = 'resolve';
    const stage = (next: Stage): void => {
      at = next;
      this.#stages.enter('PullImage', name, next);
    };
    let client: RegistryClient | undefined;
    let outcome: 'done' | 'failed' = 'failed';
    try {
      stage('resolve');
      const { registry } = reference;
      const hosts = await registryHosts(this.#registryConfigDir, registry);
      client = new RegistryClient({ reference, hosts, auth, limits: this.#transfer, log: this.#log });
      const top = await client.manifest(reference.digest ?? reference.tag!, signal);
      const image =
        this.#addName(reference, top.digest) ??
        (await this.#installer.install(await this.#resolve(client, reference, top, signal), {
          signal,
          stage,
          progress,
        }));
      outcome = 'done';
      return image;
    } catch (error) {
      throw faultAt(error, `image ${name}`, at);
    } finally {
      client?.close();
      this.#stages.leave('PullImage', name, outcome);
    }
  }

  /** The image, when the registry's answer is one that is here already. */
  #addName(reference: Reference, target: string): StoredImage | undefined {
    const image = this.#catalog.byTarget(target);
    if (image === undefined || !image.layers.every((layer) => this.#layers.get(layer))) return undefined;
    return this.#catalog.add(image, tagsOf(reference), [`${repositoryName(reference)}@${target}`]);
  }

  /** From index to manifest to configuration. */
  async #resolve(
    client: RegistryClient,
    reference: Reference,
    top: FetchedManifest,
    signal: AbortSignal,
  ): Promise<ResolvedImage> {
    this.#warm();
    const { manifest, fetched, targets } = await this.#manifestFor(client, top, signal);
    const { config } = manifest;
    const configBlob = await client.smallBlob(config, MAX_CONFIG, 'the image configuration', signal);
    return {
      id: config.digest,
      manifest: fetched.bytes.toString('utf8'),
      configBlob,
      targets,
      layers: manifest.layers.map((layer) => ({
        size: layer.size,
        digest: layer.digest,
        open: (inner: AbortSignal) => client.blob(layer, inner),
      })),
      tags: tagsOf(reference),
      digests: [`${repositoryName(reference)}@${top.digest}`],
    };
  }

  async #manifestFor(
    client: RegistryClient,
    top: FetchedManifest,
    signal: AbortSignal,
  ): Promise<{ manifest: Manifest; fetched: FetchedManifest; targets: string[] }> {
    const targets = [top.digest];
    let fetched = top;
    for (let depth = 0; depth <= MAX_NESTING; depth++) {
      const parsed = parseManifest(fetched.bytes, fetched.mediaType);
      if (parsed.kind === 'image') return { manifest: parsed, fetched, targets };
      fetched = await client.manifest(choosePlatform(parsed.manifests).digest, signal);
      targets.push(fetched.digest);
    }
    throw new Fault('invalid', `The image's indexes are nested more than ${MAX_NESTING} deep`);
  }
}

function tagsOf(reference: Reference): string[] {
  return reference.digest === undefined ? [fullName(reference)] : [];
}

function fingerprint(auth: PullAuth | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify(auth ?? null))
    .digest('hex');
}
