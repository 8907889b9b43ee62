import { chmodSync, closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RecordStore } from '../ground/records.ts';
import {
  openImages,
  type ImagesConfig,
  type LiveImages,
  type OpenImagesOptions,
} from '../image/open-images.ts';
import type { Config } from './config/schema.ts';

/** Opens the record store for its owner alone: records hold the environment of containers. */
export function openRecords(config: Config): RecordStore {
  const path = join(config.root, 'berth.db');
  // SQLite gives its other files the mode of this one.
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  return new RecordStore(path);
}

/** What the image room needs beside the configuration. */
export type ImageRoomParts = Omit<OpenImagesOptions, 'root' | 'config'>;

/** Opens the image room of this configuration. */
export function openImageRoom(config: Config, parts: ImageRoomParts): Promise<LiveImages> {
  const root = join(config.root, 'images');
  mkdirSync(root, { recursive: true, mode: 0o700 });
  return openImages({ ...parts, root, config: imagesConfig(config) });
}

/** What the configuration says to the image room. */
export function imagesConfig({ image }: Config): ImagesConfig {
  return {
    registryConfigDir: image.registry_config_dir,
    authFiles: image.auth_files,
    maxConcurrentDownloads: image.max_concurrent_downloads,
    maxImageBytes: image.max_image_gib * 2 ** 30,
    pinned: image.pinned,
    verifierDir: image.verifier_dir,
    verifierTimeoutMs: image.verifier_timeout_seconds * 1000,
    writableLayerLimit: image.writable_layer_limit,
  };
}

/** The kernel's name for this boot (random(4)). `BERTH_BOOT_ID` takes its place in tests. */
export function bootIdOf(environment: Record<string, string | undefined>): string {
  return environment['BERTH_BOOT_ID'] ?? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
