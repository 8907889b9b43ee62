/**
 * `npm run dist`: builds the release into `build/`. See docs/releases.md.
 *
 *   --arch x64,arm64   which tarballs (default: both)
 *   --no-image         without the container image
 *   --keep             leaves the trees that the archives are made of
 *   --out DIRECTORY    instead of build/
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { sha256Of, writeTar } from './archive.ts';
import { compile } from './compile.ts';
import { writeImage } from './container-image.ts';
import { ARCHES, type Arch } from './pinned.ts';
import { stage } from './stage.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** When there is neither SOURCE_DATE_EPOCH nor a commit to take it from: 2026-01-01. */
const FALLBACK_EPOCH = 1_767_225_600;

const begun = performance.now();
function note(text: string): void {
  const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${text}\n`);
}

/** https://reproducible-builds.org/specs/source-date-epoch/ */
function sourceDate(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined) return Number(given);
  try {
    return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' }));
  } catch {
    return FALLBACK_EPOCH;
  }
}

function mebibytes(file: string): string {
  return `${(statSync(file).size / 1024 / 1024).toFixed(1)} MiB`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', default: ARCHES.join(',') },
      image: { type: 'boolean', default: true },
      keep: { type: 'boolean', default: false },
      out: { type: 'string', default: join(ROOT, 'build') },
    },
    allowNegative: true,
  });
  const arches = values.arch.split(',').map((name) => {
    const arch = ARCHES.find((known) => known === name);
    if (arch === undefined)
      throw new Error(`There is no release for ${name}: known are ${ARCHES.join(', ')}`);
    return arch;
  });
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const epoch = sourceDate();
  const cache = join(ROOT, 'node_modules/.cache/dist');
  const made: string[] = [];
  for (const arch of arches) {
    const prefix = join(out, `stage-${arch}`);
    note(`berth ${version} for linux ${arch}`);
    const { files } = await stage(prefix, { root: ROOT, arch, version, epoch, cache, note });
    note(`${files.length} files of code`);
    if (arch === process.arch) await compileHere(prefix);
    made.push(await tarball(prefix, out, version, arch, epoch));
    if (arch === process.arch && values.image) made.push(await image(prefix, out, version, epoch));
    if (!values.keep) rmSync(prefix, { recursive: true, force: true });
  }
  const sums = await Promise.all(made.map(async (name) => `${await sha256Of(join(out, name))}  ${name}\n`));
  writeFileSync(join(out, 'SHA256SUMS'), sums.join(''));
  note(`SHA256SUMS; all of it is in ${out}`);
}

async function compileHere(prefix: string): Promise<void> {
  if (process.getuid?.() !== 0) {
    note('not root: the code is not compiled ahead, the first start on each node does it');
    return;
  }
  note('compiling: the daemon runs for a moment');
  await compile(prefix);
}

async function tarball(
  prefix: string,
  out: string,
  version: string,
  arch: Arch,
  epoch: number,
): Promise<string> {
  const name = `berth-${version}-linux-${arch}.tar.gz`;
  note(`writing ${name}`);
  await writeTar(prefix, join(out, name), epoch);
  note(`${name}: ${mebibytes(join(out, name))}`);
  return name;
}

async function image(prefix: string, out: string, version: string, epoch: number): Promise<string> {
  const name = `berth-${version}-image-amd64.tar`;
  const layout = join(out, `berth-${version}-image-amd64.oci`);
  note(`writing the container image`);
  await writeImage({
    prefix,
    version,
    epoch,
    scratch: join(out, 'image'),
    layout,
    dockerArchive: join(out, name),
    note,
  });
  note(`${name}: ${mebibytes(join(out, name))}; the same as an OCI layout: ${layout}`);
  return name;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`dist: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
