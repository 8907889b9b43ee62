import { statSync } from 'node:fs';
import { Fault, faultAt } from '../../ground/fault.ts';
import type { Stage } from '../../ground/stages.ts';
import type { StoredImage } from '../catalog.ts';
import type { Installer, ResolvedImage } from '../install.ts';
import { fullName, parseReference } from '../reference.ts';

import { ArchiveDirectory } from './archive-directory.ts';
import { ArchiveFile, type ArchiveSource } from './archive-file.ts';
import { dockerImages } from './docker-archive.ts';
import { layoutImages } from './oci-layout.ts';

/** Imports image archives: what `docker save`, `podman save`, `skopeo copy` and `ctr image export` write. */
export class ArchiveLoader {
  readonly #installer: Installer;
  readonly #directory: string;
  readonly #limits: { readonly bytes: number };

  /** `directory` takes the unpacked form of compressed archives, at most `limits.bytes` of it, while they are read. */
  constructor(options: { installer: Installer; directory: string; limits: { readonly bytes: number } }) {
    this.#installer = options.installer;
    this.#directory = options.directory;
    this.#limits = options.limits;
  }

  /** See Images.load. `name` names the archive's only image. Throws Faults that name the file. */
  async load(file: string, { signal, name }: { signal: AbortSignal; name?: string }): Promise<StoredImage[]> {
    let at: Stage = 'resolve';
    const stage = (next: Stage): void => void (at = next);
    try {
      const given = name === undefined ? undefined : fullName(parseReference(name));
      const options = { directory: this.#directory, maxBytes: this.#limits.bytes, signal };
      const directory = statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
      await using archive: ArchiveSource = directory
        ? new ArchiveDirectory(file)
        : await ArchiveFile.open(file, options);
      const found = await imagesIn(archive);
      if (found.length === 0) throw new Fault('invalid', 'The archive holds no image');
      if (given !== undefined && found.length > 1) {
        throw new Fault('invalid', `The archive holds ${found.length} images, which cannot share one name`);
      }
      const images: StoredImage[] = [];
      for (const image of found) {
        if (given !== undefined) image.tags = [given];
        images.push(await this.#installer.install(image, { signal, stage, progress() {} }));
      }
      return images;
    } catch (error) {
      throw faultAt(error, `archive ${file}`, at);
    }
  }
}

/** Recent Docker writes both forms into one archive; the OCI layout says more. */
async function imagesIn(archive: ArchiveSource): Promise<ResolvedImage[]> {
  if (archive.has('index.json')) return layoutImages(archive);
  if (archive.has('manifest.json')) return dockerImages(archive);
  throw new Fault('invalid', 'The file is no image archive: it has neither index.json nor manifest.json');
}
