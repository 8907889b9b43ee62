import { closeSync, openSync, readSync } from 'node:fs';
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

/** Levels of the x86-64 psABI above the first, and the flags in /proc/cpuinfo that each adds. */
const AMD64_LEVELS: [string, string[]][] = [
  ['v2', ['cx16', 'lahf_lm', 'popcnt', 'pni', 'sse4_1', 'sse4_2', 'ssse3']],
  ['v3', ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave']],
  ['v4', ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl']],
];

/** Variants that run on a machine of a variant, best first; the empty one is the plain build itself. */
const VARIANTS: Record<string, Record<string, string[]>> = {
  amd64: {
    '': ['', 'v1'],
    v2: ['v2', '', 'v1'],
    v3: ['v3', 'v2', '', 'v1'],
    v4: ['v4', 'v3', 'v2', '', 'v1'],
  },
  arm64: { '': ['', 'v8'] },
  arm: { '': ['v7', '', 'v6', 'v5'] },
};

let host: Platform | undefined;

/** This machine's platform. The variant is the level of its processor, empty for the plain architecture. */
export function hostPlatform(): Platform {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  host ??= { os: 'linux', architecture, variant: architecture === 'amd64' ? amd64Level(cpuInfo()) : '' };
  return host;
}

/** `v2` to `v4`, or empty for the first level: what the first processor of a /proc/cpuinfo can do. */
export function amd64Level(cpuinfo: string): string {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' '));
  let level = '';
  for (const [name, needed] of AMD64_LEVELS) {
    if (!needed.every((flag) => flags.has(flag))) break;
    level = name;
  }
  return level;
}

/** The beginning of the file, which tells of one processor: all of it takes long where there are many. */
function cpuInfo(): string {
  const bytes = Buffer.alloc(16 * 1024);
  const fd = openSync('/proc/cpuinfo', 'r');
  try {
    return bytes.toString('latin1', 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}

/**
 * The entry of an index that fits `platform` best; entries that name no platform come last, their configuration
 * decides later. Throws Fault('not-found') that lists what there is.
 */
export function choosePlatform(manifests: Descriptor[], platform: Platform = hostPlatform()): Descriptor {
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
export function checkPlatform(built: Platform, platform: Platform = hostPlatform()): void {
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
  return (VARIANTS[wanted.architecture]?.[wanted.variant] ?? ['']).indexOf(offer.variant);
}

function platformName(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}
