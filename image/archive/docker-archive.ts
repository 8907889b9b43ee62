import { Fault } from '../../ground/fault.ts';
import { digestOf } from '../digest.ts';
import type { ResolvedImage } from '../install.ts';
import { MAX_CONFIG, MAX_MANIFEST, parseJson } from '../manifest.ts';
import { fullName, parseReference } from '../reference.ts';
import type { ArchiveSource } from './archive-file.ts';

/** One element of a `docker save` archive's manifest.json (Docker image specification v1.2). */
interface Entry {
  Config: string;
  RepoTags: string[];
  Layers: string[];
}

/** The images of a `docker save` archive. Layers are verified by the diff ids of the configuration. */
export async function dockerImages(archive: ArchiveSource): Promise<ResolvedImage[]> {
  const bytes = await archive.read('manifest.json', MAX_MANIFEST);
  const entries = entriesOf(parseJson(bytes, 'manifest.json of the archive'));
  return Promise.all(
    entries.map(async ({ Config, RepoTags, Layers }): Promise<ResolvedImage> => {
      const configBlob = await archive.read(Config, MAX_CONFIG);
      const id = digestOf(configBlob);
      const named = /(?:^|\/)([a-f0-9]{64})(?:\.json)?$/.exec(Config)?.[1];
      if (named !== undefined && id !== `sha256:${named}`) {
        throw new Fault('data-loss', `The digest of the archive's ${JSON.stringify(Config)} is ${id}`);
      }
      return {
        id,
        manifest: '',
        configBlob,
        targets: [],
        layers: Layers.map((layer) => ({
          size: archive.size(layer),
          digest: undefined,
          open: (signal: AbortSignal) => archive.stream(layer, signal),
        })),
        tags: RepoTags.map((tag) => fullName(parseReference(tag))),
        digests: [],
      };
    }),
  );
}

function entriesOf(document: unknown): Entry[] {
  if (!Array.isArray(document)) throw new Fault('invalid', 'The manifest.json of the archive is no list');
  return document.map((value: unknown) => {
    const { Config, RepoTags, Layers } = (value ?? {}) as Partial<Record<keyof Entry, unknown>>;
    if (typeof Config !== 'string')
      throw new Fault('invalid', 'An image of the archive has no configuration');
    return { Config, RepoTags: texts(RepoTags), Layers: texts(Layers) };
  });
}

/** Go writes an empty list as null. */
function texts(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw new Fault('invalid', 'The manifest.json of the archive has something else where texts belong');
}
