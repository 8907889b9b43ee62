import { Fault } from '../ground/fault.ts';
import type { Descriptor, Platform } from './descriptor.ts';

const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};

/** Variants that a plain build of the architecture runs, best first; the empty one is the plain build itself. */
const VARIANTS: Record<string, string[]> = {
  amd64: ['', 'v1'],
  arm64: ['', 'v8'],
  arm: ['v7', '', 'v6', 'v5'],
};

/** This machine's platform. */
export const HOST_PLATFORM: Platform = {
  os: 'linux',
  architecture: ARCHITECTURES[process.arch] ?? process.arch,
  variant: '',
};

/**
 * The entry of an index that fits `platform` best; entries that name no platform come last, their configuration
 * decides later. Throws Fault('not-found') that lists what there is.
 */
export function choosePlatform(manifests: Descriptor[], platform: Platform = HOST_PLATFORM): Descriptor {
  const ranked = manifests
    .map((manifest) => ({ manifest, rank: manifest.platform ? rank(manifest.platform, platform) : UNNAMED }))
    .filter((candidate) => candidate.rank >= 0)
    .toSorted((a, b) => a.rank - b.rank);
  if (ranked[0] !== undefined) return ranked[0].manifest;
  const offered = manifests.flatMap((manifest) =>
    manifest.platform ? [platformName(manifest.platform)] : [],
  );
  throw new Fault(
    'not-found',
    `The image is not built for ${platformName(platform)}, only for ${offered.join(', ') || 'nothing'}`,
  );
}

/** Throws Fault('not-found') when an image built for `built` cannot run on `platform`. */
export function checkPlatform(built: Platform, platform: Platform = HOST_PLATFORM): void {
  // Old tools left the architecture out.
  if (built.os === platform.os && ['', platform.architecture].includes(built.architecture)) return;
  throw new Fault(
    'not-found',
    `The image is built for ${platformName(built)}, not for ${platformName(platform)}`,
  );
}

const UNNAMED = 1000;

function rank(offer: Platform, wanted: Platform): number {
  if (offer.os !== wanted.os || offer.architecture !== wanted.architecture) return -1;
  return (VARIANTS[wanted.architecture] ?? ['']).indexOf(offer.variant);
}

function platformName(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}
