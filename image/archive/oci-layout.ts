import { Fault } from '../../ground/fault.ts';
import { verifyDigest } from '../digest.ts';
import type { ResolvedImage } from '../install.ts';
import type { Descriptor } from '../descriptor.ts';
import { MAX_CONFIG, MAX_MANIFEST, parseManifest } from '../manifest.ts';
import { choosePlatform } from '../platform.ts';
import { fullName, parseReference, repositoryName } from '../reference.ts';
import type { ArchiveSource } from './archive-file.ts';

const MAX_NESTING = 4;
/** containerd's and Docker's full name; the OCI annotation is often the tag alone. */
const FULL_NAME = 'io.containerd.image.name';
const REF_NAME = 'org.opencontainers.image.ref.name';

/** The images of an OCI layout (OCI image specification, image-layout.md): one for each name in its index. */
export async function layoutImages(archive: ArchiveSource): Promise<ResolvedImage[]> {
  const bytes = await archive.read('index.json', MAX_MANIFEST);
  const index = parseManifest(bytes, 'application/vnd.oci.image.index.v1+json');
  if (index.kind !== 'index') throw new Fault('invalid', 'The index.json of the archive is no index');
  const byName = Map.groupBy(index.manifests.filter(isImage), nameOf);
  const images: ResolvedImage[] = [];
  for (const [name, manifests] of byName) {
    // Several entries of one name are one image for several platforms.
    const top = manifests.length === 1 ? manifests[0]! : choosePlatform(manifests);
    images.push(await resolve(archive, top, name));
  }
  return images;
}

async function resolve(
  archive: ArchiveSource,
  top: Descriptor,
  name: string | undefined,
): Promise<ResolvedImage> {
  const targets: string[] = [];
  let at = top;
  for (let depth = 0; depth <= MAX_NESTING; depth++) {
    const bytes = await blob(archive, at, MAX_MANIFEST, 'a manifest');
    targets.push(at.digest);
    const parsed = parseManifest(bytes, at.mediaType);
    if (parsed.kind === 'index') {
      at = choosePlatform(parsed.manifests);
      continue;
    }
    const { config, layers } = parsed;
    const reference = name === undefined ? undefined : parseReference(name);
    return {
      id: config.digest,
      manifest: bytes.toString('utf8'),
      configBlob: await blob(archive, config, MAX_CONFIG, 'the image configuration'),
      targets,
      layers: layers.map((layer) => ({
        size: archive.size(placeOf(layer)),
        digest: layer.digest,
        open: (signal: AbortSignal) => archive.stream(placeOf(layer), signal),
      })),
      tags: reference?.tag === undefined ? [] : [fullName(reference)],
      digests: reference === undefined ? [] : [`${repositoryName(reference)}@${top.digest}`],
    };
  }
  throw new Fault('invalid', `The archive's indexes are nested more than ${MAX_NESTING} deep`);
}

async function blob(
  archive: ArchiveSource,
  descriptor: Descriptor,
  max: number,
  what: string,
): Promise<Buffer> {
  const bytes = await archive.read(placeOf(descriptor), max);
  verifyDigest(bytes, descriptor.digest, what);
  return bytes;
}

function placeOf({ digest }: Descriptor): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** Attestations lie beside images, for the platform unknown/unknown. */
function isImage({ platform }: Descriptor): boolean {
  return platform?.os !== 'unknown';
}

function nameOf({ annotations }: Descriptor): string | undefined {
  const full = annotations[FULL_NAME];
  if (full !== undefined) return full;
  const name = annotations[REF_NAME];
  return name !== undefined && /[/:]/.test(name) ? name : undefined;
}
