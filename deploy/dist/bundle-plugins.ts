import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';

/** Where the native modules stand, from the bundle's own directory. */
export const NATIVE = { koffi: 'native/koffi.node', bufferutil: 'native/bufferutil.node' } as const;

/** `new URL('./worker.ts', import.meta.url)`: a file of ours that is loaded by its address and not by an import. */
const OWN_FILE = /new URL\(\s*'([^']+)',\s*import\.meta\.url,?\s*\)/g;

/**
 * Files that are loaded by their address. All lie in the bundle's one directory, so an address becomes a bare name:
 * `found` is told of each TypeScript file and says what it is called there; other files keep their name.
 */
export function ownFiles(found: (file: string) => string): Plugin {
  return {
    name: 'files that are loaded by address',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        const contents = text.replaceAll(OWN_FILE, (_whole, target: string) => {
          const file = join(dirname(path), target);
          const name = file.endsWith('.ts') ? found(file) : file.slice(file.lastIndexOf('/') + 1);
          return `new URL('./${name}', import.meta.url)`;
        });
        return { contents, loader: 'ts' };
      });
    },
  };
}

/**
 * Node's own modules without import statements: those take every export of a module at once, and with node:http also
 * undici; that is a third of the time in which the program loads. Only what is used is taken.
 */
export function nodeModules(): Plugin {
  return {
    name: "Node's own modules",
    setup(build) {
      build.onResolve({ filter: /^[\w:/]+$/ }, ({ path, kind }) => {
        if (!isBuiltin(path)) return undefined;
        if (kind !== 'import-statement') return { path, external: true };
        return { path: path.replace(/^node:/, ''), namespace: 'node', sideEffects: false };
      });
      build.onLoad({ filter: /.*/, namespace: 'node' }, ({ path }) => {
        const names = Object.keys(process.getBuiltinModule(`node:${path}`)!).filter((name) =>
          /^[A-Za-z_]\w*$/.test(name),
        );
        const contents = [
          `const all = process.getBuiltinModule('node:${path}');`,
          'const take = (name) => all[name];',
          'export default all;',
          ...names
            .filter((name) => name !== 'default')
            .map(
              (name) => `const $${name} = /* @__PURE__ */ take('${name}'); export { $${name} as ${name} };`,
            ),
        ];
        return { contents: contents.join('\n'), loader: 'js' };
      });
    },
  };
}

/** Parts of packages that cost time at each start and serve what Berth does not use. */
const UNUSED: { package: string; path: RegExp; contents: string }[] = [
  // Starts programs for subcommands that are programs of their own.
  { package: 'commander', path: /^node:child_process$/, contents: 'module.exports = {};' },
  // Looks who opens the log, for loggers in threads of their own; V8 counts all lines of the bundle for it.
  { package: 'pino', path: /^\.\/(lib\/)?caller$/, contents: 'module.exports = () => [];' },
];

/** Puts nothing in the place of what `UNUSED` names. To stand before the other plugins. */
export function unusedParts(): Plugin {
  return {
    name: 'unused parts',
    setup(build) {
      for (const [index, { package: name, path: filter, contents }] of UNUSED.entries()) {
        const namespace = `unused-${index}`;
        build.onResolve({ filter }, ({ path, importer }) =>
          importer.includes(`/node_modules/${name}/`) ? { path, namespace } : undefined,
        );
        build.onLoad({ filter: /.*/, namespace }, () => ({ contents, loader: 'js' }));
      }
    },
  };
}

/** The loaders of these packages look for the machine's file among many: here it lies in one known place. */
export function nativeModules(): Plugin {
  return {
    name: 'native modules',
    setup(build) {
      build.onResolve({ filter: /^(koffi|bufferutil)$/ }, ({ path }) => ({ path, namespace: 'native' }));
      build.onLoad({ filter: /^koffi$/, namespace: 'native' }, () => ({
        contents: `export default loadNative('./${NATIVE.koffi}');`,
        loader: 'js',
      }));
      // `ws` does without, where there is none for the machine.
      build.onLoad({ filter: /^bufferutil$/, namespace: 'native' }, () => ({
        contents: `module.exports = loadNative('./${NATIVE.bufferutil}');`,
        loader: 'js',
      }));
    },
  };
}

/** Packages that have a file of their own beside the bundle: `names` gives it. */
export function apartPackages(names: Record<string, string>): Plugin {
  return {
    name: 'packages in files of their own',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path }) => {
        const file = names[path];
        return file === undefined ? undefined : { path: `./${file}`, external: true };
      });
    },
  };
}
