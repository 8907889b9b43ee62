import { Fault, faultAt } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { Stage, StageSink } from '../ground/stages.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { BufferTurnover } from '../native/memory.ts';
import type { Catalog, StoredImage } from './catalog.ts';
import type { PullAuth, PullProgress, PullTotals, RunningPull } from './images.ts';
import type { Installer, ResolvedImage } from './install.ts';
import type { LayerStore } from './layers/layer-store.ts';
import { MAX_CONFIG, parseManifest, type Manifest } from './manifest.ts';
import { choosePlatform } from './platform.ts';
import { fullName, parseReference, repositoryName, type Reference } from './reference.ts';
import { readAuthFiles } from './registry/auth-files.ts';
import { askHelper } from './registry/credential-helpers.ts';
import { RegistryClient, type FetchedManifest } from './registry/client.ts';
import { fingerprint, registriesOf } from './registry/credentials.ts';
import { registryHosts } from './registry/hosts.ts';
import { TokenCache } from './registry/token-cache.ts';
import type { TransferLimits } from './registry/transport.ts';
import { SharedWork } from './shared-work.ts';
import type { RegistryAccess } from './live-settings.ts';
import type { Verifier } from './trust/verifiers.ts';

/** Indexes may lie in indexes, this deep. */
const MAX_NESTING = 4;

export interface PullOptions {
  auth?: PullAuth;
  signal?: AbortSignal;
  progress?: (progress: PullProgress) => void;
}

/** A pull as it is kept; `begun` by performance.now(). */
type Running = Omit<RunningPull, 'sinceMs'> & { begun: number };

/** PullImage: resolve, fetch, unpack, commit; one pull an image and credentials however many ask for it. */
export class Puller {
  readonly #running = new SharedWork<StoredImage, PullProgress>();
  readonly #layers: LayerStore;
  readonly #catalog: Catalog;
  readonly #installer: Installer;
  readonly #stages: StageSink;
  readonly #log: Log;
  readonly #access: RegistryAccess;
  readonly #tokens = new TokenCache();
  readonly #transfer: TransferLimits;
  readonly #verifier: Verifier;
  readonly #exits: ExitWatcher;
  readonly #warm: () => void;
  readonly #pulls = new Set<Running>();
  readonly #turnover = new BufferTurnover();
  readonly #totals: PullTotals = { bytesFetched: 0, done: 0, failed: 0 };

  constructor(options: {
    layers: LayerStore;
    catalog: Catalog;
    installer: Installer;
    stages: StageSink;
    log: Log;
    access: RegistryAccess;
    transfer: TransferLimits;
    verifier: Verifier;
    exits: ExitWatcher;
    /** Called when layers will have to be unpacked soon. */
    warm: () => void;
  }) {
    this.#layers = options.layers;
    this.#catalog = options.catalog;
    this.#installer = options.installer;
    this.#stages = options.stages;
    this.#log = options.log;
    this.#access = options.access;
    this.#transfer = options.transfer;
    this.#verifier = options.verifier;
    this.#exits = options.exits;
    this.#warm = options.warm;
  }

  /** See Images.pulls. */
  pulls(): { running: RunningPull[]; totals: PullTotals } {
    const now = performance.now();
    const running = [...this.#pulls].map(({ begun, ...pull }) => ({
      ...pull,
      sinceMs: Math.round(now - begun),
    }));
    return { running, totals: { ...this.#totals } };
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
    tell: (progress: PullProgress) => void,
  ): Promise<StoredImage> {
    const name = fullName(reference);
    const running: Running = { image: name, stage: 'resolve', progress: undefined, begun: performance.now() };
    const stage = (next: Stage): void => {
      running.stage = next;
      this.#stages.enter('PullImage', name, next);
    };
    this.#pulls.add(running);
    let client: RegistryClient | undefined;
    let outcome: 'done' | 'failed' = 'failed';
    try {
      stage('resolve');
      client = await this.#client(reference, auth, signal);
      const top = await client.manifest(reference.digest ?? reference.tag!, signal);
      const { digest, mediaType, bytes } = top;
      // Before anything of the image is used, and also when all of it is here under another name.
      await this.#verifier.check({ name, digest, mediaType, size: bytes.length }, signal);
      const image =
        (await this.#addName(reference, digest)) ??
        (await this.#installer.install(await this.#resolve(client, reference, top, signal), {
          signal,
          stage,
          progress: (progress) => {
            running.progress = progress;
            tell(progress);
          },
        }));
      outcome = 'done';
      return image;
    } catch (error) {
      throw faultAt(error, `image ${name}`, running.stage);
    } finally {
      client?.close();
      this.#pulls.delete(running);
      this.#totals[outcome]++;
      this.#stages.leave('PullImage', name, outcome);
    }
  }

  /** Configuration and credentials are read for each pull: who changes them restarts nothing. */
  async #client(
    reference: Reference,
    auth: PullAuth | undefined,
    signal: AbortSignal,
  ): Promise<RegistryClient> {
    const hosts = await registryHosts(this.#access.registryConfigDir, reference.registry);
    const registries = registriesOf(hosts, reference, auth);
    const ask = askHelper(this.#exits, this.#log, signal);
    const node = await readAuthFiles(this.#access.authFiles, this.#log, registries, ask);
    const tokens = this.#tokens;
    return new RegistryClient({
      reference,
      hosts,
      auth,
      node,
      tokens,
      limits: this.#transfer,
      log: this.#log,
    });
  }

  /** The image, when the registry's answer is one that is here already. */
  async #addName(reference: Reference, target: string): Promise<StoredImage | undefined> {
    const image = this.#catalog.byTarget(target);
    this.#layers.forgetLost(image?.layers ?? []);
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
        open: (inner: AbortSignal) => this.#counted(client.blob(layer, inner)),
        again: () => client.distrust(layer.digest),
      })),
      tags: tagsOf(reference),
      digests: [`${repositoryName(reference)}@${top.digest}`],
    };
  }

  async *#counted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#totals.bytesFetched += chunk.length;
      this.#turnover.passed(chunk.length);
      yield chunk;
    }
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
