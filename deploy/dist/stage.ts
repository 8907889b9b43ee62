import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { printConfig } from '../../cri/config/print.ts';
import { defaultConfig } from '../../cri/config/schema.ts';
import { program } from '../../cri/main.ts';
import { bundle, type Bundle } from './bundle.ts';
import { NATIVE } from './bundle-plugins.ts';
import { commandTree } from './command-tree.ts';
import { bashCompletion, fishCompletion, zshCompletion } from './completions.ts';
import { manPage } from './man-page.ts';
import { pinnedFiles, type Arch } from './pinned.ts';

/** What a release is made of, and where. */
export interface StageOptions {
  /** The repository. */
  root: string;
  arch: Arch;
  version: string;
  /** Seconds since 1970: the date of all that has one. */
  epoch: number;
  /** For fetched packages. */
  cache: string;
  note: (text: string) => void;
}

/** Debian's names of the machines. */
export const TRIPLETS: Record<Arch, string> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** Where the program stands, from the prefix. */
export const HOME = 'lib/berth';

/**
 * Lays a release out in `prefix`, which is made anew: the tree that the tarball holds and that works below any prefix.
 * Compiled code is not in it yet (`compile.ts`).
 */
export async function stage(prefix: string, options: StageOptions): Promise<Bundle> {
  const { root, arch, version, epoch, cache, note } = options;
  rmSync(prefix, { recursive: true, force: true });
  const home = join(prefix, HOME);
  mkdirSync(home, { recursive: true });
  const made = await bundle(root, home);
  for (const { name, bytes } of made.files) note(`${name}: ${(bytes / 1024).toFixed(0)} KiB`);
  const pinned = pinnedFiles(root, arch, cache, note);
  const put = (path: string, content: string, mode = 0o644): void => {
    const file = join(prefix, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    chmodSync(file, mode);
  };
  const copy = (from: string, path: string, mode = 0o644): void => {
    mkdirSync(dirname(join(prefix, path)), { recursive: true });
    copyFileSync(from, join(prefix, path));
    chmodSync(join(prefix, path), mode);
  };
  const launcher = readFileSync(join(root, 'deploy/dist/launcher.sh'), 'utf8');
  put('bin/berth', launcher.replaceAll('@TRIPLET@', TRIPLETS[arch]), 0o755);
  copy(pinned.node, `${HOME}/node`, 0o755);
  copy(pinned.koffi, `${HOME}/${NATIVE.koffi}`);
  if (pinned.bufferutil !== undefined) copy(pinned.bufferutil, `${HOME}/${NATIVE.bufferutil}`);
  put(`${HOME}/package.json`, `${JSON.stringify({ name: 'berth', version, type: 'module' })}\n`);
  copy(join(root, 'deploy/systemd/berth.service'), 'lib/systemd/system/berth.service');
  // The page's files are read from beside the bundle: cri/page/web-files.ts.
  for (const name of readdirSync(join(root, 'cri/page/web')).filter((one) => one !== 'tsconfig.json'))
    copy(join(root, 'cri/page/web', name), `${HOME}/web/${name}`);
  put('share/berth/berth.toml', printConfig(defaultConfig()));
  const tree = commandTree(program);
  const day = new Date(epoch * 1000).toISOString().slice(0, 10);
  put('share/man/man8/berth.8', manPage(tree, version, day));
  put('share/bash-completion/completions/berth', bashCompletion(tree));
  put('share/zsh/site-functions/_berth', zshCompletion(tree));
  put('share/fish/vendor_completions.d/berth.fish', fishCompletion(tree));
  for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md'])
    copy(join(root, file), `share/doc/berth/${file}`);
  cpSync(join(root, 'docs'), join(prefix, 'share/doc/berth/docs'), { recursive: true });
  put('share/doc/berth/THIRD-PARTY-LICENSES.txt', thirdParty(root, made.packages, pinned.nodeLicense));
  return made;
}

/** The licences of all that is in the release and not ours. */
function thirdParty(root: string, packages: string[], nodeLicense: string): string {
  const native = ['node_modules/koffi', 'node_modules/bufferutil'];
  const parts = [...new Set([...packages, ...native])].sort().map((directory) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(root, directory, 'package.json'), 'utf8'),
    ) as { name: string; version: string; license?: string };
    const files = readdirSync(join(root, directory)).filter((file) => /^(licen[cs]e|notice)/i.test(file));
    const texts = files.sort().map((file) => readFileSync(join(root, directory, file), 'utf8').trim());
    return `${name} ${version} (${license ?? 'see below'})\n\n${texts.join('\n\n')}`;
  });
  const node = existsSync(nodeLicense) ? readFileSync(nodeLicense, 'utf8').trim() : '';
  const rule = `\n\n${'='.repeat(78)}\n\n`;
  return `${[...parts, `Node.js\n\n${node}`].join(rule)}\n`;
}
