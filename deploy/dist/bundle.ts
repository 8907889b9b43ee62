import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build, type BuildOptions, type Metafile } from 'esbuild';
import { apartPackages, nodeModules, nativeModules, ownFiles, unusedParts } from './bundle-plugins.ts';

/** What a bundle consists of. */
export interface Bundle {
  /** File names in the output directory with their size in bytes, largest first. */
  files: { name: string; bytes: number }[];
  /** Directories of the npm packages that went in, as paths from the root of the repository, sorted. */
  packages: string[];
}

/** The program's own entry; the other ones are found in the sources. */
const MAIN = 'cri/main.ts';
/** What runs it. */
const LOADER = 'deploy/dist/load.ts';

/** Large, and needed by few nodes: a file of their own that is loaded when one of the others asks for it. */
const APART: Record<string, string> = { '@kubernetes/client-node': 'kubernetes-client.js' };

/** CommonJS packages that go into ES modules ask for Node's own modules by `require`. */
const BANNER =
  "const loadNative = process.getBuiltinModule('node:module').createRequire(import.meta.url), require = loadNative;";

/**
 * The program is no module but a script, a function of what a module would have: only a script can be run from compiled
 * code that was taken after its functions were called (`load.ts`).
 */
const SCRIPT: Pick<BuildOptions, 'format' | 'banner' | 'footer' | 'define'> = {
  format: 'iife',
  banner: {
    js: '(function(moduleUrl, moduleDirectory, require) { "use strict"; const loadNative = require;',
  },
  footer: { js: '})' },
  define: {
    'import.meta.url': 'moduleUrl',
    'import.meta.dirname': 'moduleDirectory',
    'import.meta.main': 'true',
  },
};

/**
 * Bundles the program from the sources below `root` into `directory`, which is made anew: one file for the command line
 * and the daemon and the one that loads it, one for each thread and for each program that is started by its address. In
 * each of them what the sources import when they need it is evaluated when it is needed.
 */
export async function bundle(root: string, directory: string): Promise<Bundle> {
  rmSync(directory, { recursive: true, force: true });
  const known = new Map<string, string>([[join(root, MAIN), 'berth.js']]);
  const metafiles: Metafile[] = [];
  const common: BuildOptions & { metafile: true } = {
    absWorkingDir: root,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    // Names stay, so that the stack of an error can be read.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'error',
    metafile: true,
    banner: { js: BANNER },
  };
  // A map keeps its order and visits what is added meanwhile: files that are loaded by address are found on the way.
  for (const [entry, name] of known) {
    const found = (file: string): string => {
      const given = known.get(file) ?? file.slice(file.lastIndexOf('/') + 1).replace(/\.ts$/, '.js');
      known.set(file, given);
      return given;
    };
    const plugins = [unusedParts(), ownFiles(found), nodeModules(), nativeModules(), apartPackages(APART)];
    const result = await build({
      ...common,
      ...(entry === join(root, MAIN) && SCRIPT),
      entryPoints: [entry],
      outfile: join(directory, name),
      plugins,
    });
    metafiles.push(result.metafile);
  }
  const loader = await build({
    ...common,
    format: 'cjs',
    banner: {},
    define: { 'import.meta.dirname': '__dirname' },
    entryPoints: [LOADER],
    outfile: join(directory, 'load.cjs'),
    plugins: [nodeModules()],
  });
  metafiles.push(loader.metafile);
  for (const [name, file] of Object.entries(APART)) {
    const contents = `export * from ${JSON.stringify(name)};`;
    const stdin = { contents, resolveDir: root, loader: 'js' as const };
    const result = await build({
      ...common,
      stdin,
      outfile: join(directory, file),
      plugins: [nodeModules(), nativeModules()],
    });
    metafiles.push(result.metafile);
  }
  const files = metafiles.flatMap(({ outputs }) =>
    Object.entries(outputs).map(([path, { bytes }]) => ({
      name: relative(directory, join(root, path)),
      bytes,
    })),
  );
  return {
    files: files.sort((one, other) => other.bytes - one.bytes),
    packages: packagesOf(metafiles.flatMap(({ inputs }) => Object.keys(inputs))),
  };
}

/** `../x/node_modules/@grpc/grpc-js/build/index.js` -> `node_modules/@grpc/grpc-js`, wherever node_modules really lies. */
function packagesOf(inputs: string[]): string[] {
  const packages = inputs.flatMap((path) => {
    const inside = /node_modules\/.*$/.exec(path)?.[0] ?? '';
    return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(inside)?.[1] ?? [];
  });
  return [...new Set(packages)].sort();
}
