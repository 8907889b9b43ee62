import { createHash, type Hash } from 'node:crypto';
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../ground/fault.ts';
import type { HostFiles } from './host-files.ts';
import { RELEASES } from './state.ts';

/** A release as it lies unpacked: `bin/berth` and all that it needs. */
export interface Release {
  directory: string;
  version: string;
  digest: string;
  /** Text of its systemd unit. */
  unit: string;
}

const UNIT_PLACES = [
  'lib/systemd/system/berth.service',
  'share/berth/berth.service',
  'deploy/systemd/berth.service',
];
const VERSION_PLACES = ['package.json', 'lib/berth/package.json', 'share/berth/package.json'];
const CHUNK = 12;

/** The release that this program is part of. Throws Fault `precondition` when it runs from sources. */
export function ownRelease(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); at !== '/'; at = dirname(at))
    if (existsSync(join(at, 'bin/berth'))) return at;
  throw new Fault('precondition', 'This program is part of no release', {
    hint: 'name one with --from DIRECTORY',
  });
}

/** Looks at a release. Throws Fault `invalid` when the directory holds none. */
export function readRelease(directory: string): Release {
  if (existsSync(join(directory, '.git')) || existsSync(join(directory, 'tsconfig.json')))
    throw new Fault('invalid', `${directory} holds sources, not a release`, {
      hint: 'npm run dist makes one',
    });
  if (!existsSync(join(directory, 'bin/berth')))
    throw new Fault('invalid', `${directory} holds no release: there is no bin/berth`);
  const unit = firstOf(directory, UNIT_PLACES);
  const { version } = JSON.parse(firstOf(directory, VERSION_PLACES)) as { version: unknown };
  if (typeof version !== 'string' || !/^[0-9A-Za-z][\w.+-]{0,99}$/.test(version))
    throw new Fault('invalid', `The release in ${directory} has no version`);
  return { directory, version, unit, digest: treeDigest(directory) };
}

function firstOf(directory: string, places: string[]): string {
  const place = places.find((one) => existsSync(join(directory, one)));
  if (place === undefined)
    throw new Fault('invalid', `${directory} holds no whole release: there is none of ${places.join(', ')}`);
  return readFileSync(join(directory, place), 'utf8');
}

/** Where Node adds compiled code as it runs. */
const GROWS = './lib/berth/cache';

/**
 * SHA-256 over names, kinds, executable bits and contents of all below a directory. Times and owners do not count, nor
 * what a release adds to itself while it is used.
 */
export function treeDigest(directory: string): string {
  const hash = createHash('sha256');
  digestInto(hash, directory, '.');
  return hash.digest('hex');
}

function digestInto(hash: Hash, root: string, path: string): void {
  if (path === GROWS) return;
  const place = join(root, path);
  const found = lstatSync(place);
  if (found.isDirectory()) {
    hash.update(`d ${path}\0`);
    for (const name of readdirSync(place).sort()) digestInto(hash, root, `${path}/${name}`);
  } else if (found.isSymbolicLink()) hash.update(`l ${path}\0${readlinkSync(place)}\0`);
  else if (found.isFile()) {
    const content = readFileSync(place);
    hash.update(`f ${path}\0${found.mode & 0o111} ${content.length}\0`).update(content);
  }
}

/**
 * The directory's name for a release on this node: its version, or, where another build of that version lies there
 * already, the version with a part of its digest. `digests` are those of the releases that are known.
 */
export function releaseName({ version, digest }: Release, digests: Map<string, string>): string {
  const known = digests.get(version);
  return known === undefined || known === digest ? version : `${version}+${digest.slice(0, CHUNK)}`;
}

/** Puts a release on the node, whole and durable, or not at all. What lies there under that name is believed. */
export function placeRelease(files: HostFiles, { directory, digest }: Release, name: string): void {
  const [path, partial] = [`${RELEASES}/${name}`, `${RELEASES}/.${name}.partial`];
  if (files.kind(path) === 'directory') {
    if (treeDigest(files.at(path)) === digest) return;
    files.removeTree(path);
  }
  files.removeTree(partial);
  files.makeDirectory(partial);
  cpSync(directory, files.at(partial), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  files.sync(partial);
  files.rename(partial, path);
}

/** Removes all releases but these, and what a killed copy left. */
export function pruneReleases(files: HostFiles, keep: (string | undefined)[]): void {
  for (const name of files.list(RELEASES)) if (!keep.includes(name)) files.removeTree(`${RELEASES}/${name}`);
}

/** The unit of a release, with the program where the installer puts it. */
export function unitFor({ unit }: Release, program: string): string {
  const text = unit.replace(/^(Exec\w+=)\S*\/bin\/berth(?=\s|$)/gm, `$1${program}`);
  if (!text.includes(`ExecStart=${program} `))
    throw new Fault('invalid', 'The unit of the release does not start bin/berth');
  return text;
}

/** The targets that want a unit ([Install] WantedBy of systemd.unit(5)). */
export function wantedBy(unit: string): string[] {
  return [...unit.matchAll(/^WantedBy=(.*)$/gm)].flatMap((match) => match[1]!.split(/\s+/).filter(Boolean));
}
