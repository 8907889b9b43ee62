import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../../deploy/dist/compile.ts';
import { HOME, stage } from '../../deploy/dist/stage.ts';

/*
 * The program as people get it, for the machine: bundled and compiled ahead, so that the machine tests what is shipped,
 * and its emulated processor starts it in a third of the time. Node itself is in the machine already.
 */

const REPOSITORY = join(import.meta.dirname, '../..');
/** What only a person reads, and what only the node agent loads. */
const NOT_INSIDE = ['share', `${HOME}/kubernetes-client.js`];

/** Makes the release of these sources in `directory`. `node` is the program's Node, as the machine sees it. */
export async function releaseForMachine(directory: string, node: string): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
    version: string;
  };
  const cache = join(REPOSITORY, 'node_modules/.cache/dist');
  await stage(directory, { root: REPOSITORY, arch: 'x64', version, epoch: 0, cache, note: () => undefined });
  await compile(directory);
  for (const path of NOT_INSIDE) rmSync(join(directory, path), { recursive: true, force: true });
  rmSync(join(directory, HOME, 'node'));
  symlinkSync(node, join(directory, HOME, 'node'));
}
