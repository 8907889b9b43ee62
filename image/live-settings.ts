import { Limit } from '../ground/limit.ts';
import type { ExtractLimits } from './layers/extract.ts';

/** Where registries and the node's own credentials are configured; read at each pull. */
export interface RegistryAccess {
  /** Directory of `<host>/hosts.toml` files; empty for none. */
  registryConfigDir: string;
  /** The node's credential files, for pulls whose caller brings none; the first entry that fits serves. */
  authFiles: string[];
}

/** What of the room's configuration can change while it works. */
export interface LiveImagesConfig extends RegistryAccess {
  /** Layers that are downloaded at once, over all pulls. */
  maxConcurrentDownloads: number;
  /** Bound on the unpacked bytes of one image. */
  maxImageBytes: number;
  /** Names of images that are never removed; `*` at the end means all that begin so. */
  pinned?: string[];
}

/** The settings that pulls and imports look at when they begin. */
export class LiveSettings {
  readonly access: RegistryAccess;
  readonly limits: ExtractLimits;
  readonly downloads: Limit;

  constructor(config: LiveImagesConfig, maxLayerEntries: number) {
    const { registryConfigDir, authFiles } = config;
    this.access = { registryConfigDir, authFiles };
    this.limits = { bytes: config.maxImageBytes, entries: maxLayerEntries };
    this.downloads = new Limit(config.maxConcurrentDownloads);
  }

  /** Others from now on; pulls that run go on with the bounds that they began with. */
  change({ registryConfigDir, authFiles, maxImageBytes, maxConcurrentDownloads }: LiveImagesConfig): void {
    Object.assign(this.access, { registryConfigDir, authFiles });
    this.limits.bytes = maxImageBytes;
    this.downloads.resize(maxConcurrentDownloads);
  }
}
