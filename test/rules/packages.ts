import { importsOf, packageOf } from './imports.ts';
import { roomFiles } from './rooms.ts';
import { lineOf, type Rule, type SourceTree, type Violation } from './source-tree.ts';

interface Manifest {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

const DOCUMENT = 'docs/dependencies.md';

function manifest(tree: SourceTree): Manifest {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(
    tree.text('package.json'),
  ) as Partial<Manifest>;
  return { dependencies, devDependencies };
}

export const dependencyLines: Rule = {
  name: 'docs/dependencies.md: one line for each dependency, none for others',
  check(tree) {
    const { dependencies, devDependencies } = manifest(tree);
    const wanted = new Set([...Object.keys(dependencies), ...Object.keys(devDependencies)]);
    const text = tree.has(DOCUMENT) ? tree.text(DOCUMENT) : '';
    const seen = new Map<string, number>();
    const violations: Violation[] = [];
    for (const match of text.matchAll(/^\| `([^`]+)` \|/gm)) {
      const name = match[1]!;
      const line = lineOf(text, match.index);
      if (!wanted.has(name))
        violations.push({ path: DOCUMENT, line, message: `${name} is not in package.json` });
      if (seen.has(name)) violations.push({ path: DOCUMENT, line, message: `${name} has two lines` });
      seen.set(name, line);
    }
    for (const name of wanted)
      if (!seen.has(name)) violations.push({ path: DOCUMENT, line: 0, message: `${name} has no line` });
    return violations;
  },
};

/** What a package loads by itself when it is there, by the lock file. */
function peersOf(tree: SourceTree, name: string): string[] {
  const { packages = {} } = JSON.parse(tree.text('package-lock.json')) as {
    packages?: Record<string, { peerDependencies?: Record<string, string> }>;
  };
  return Object.keys(packages[`node_modules/${name}`]?.peerDependencies ?? {});
}

export const runtimeDependencies: Rule = {
  name: 'rooms: packages come from dependencies, each of them is used',
  check(tree) {
    const { dependencies } = manifest(tree);
    const used = new Set<string>();
    const violations: Violation[] = [];
    for (const path of roomFiles(tree, { tests: false })) {
      for (const { specifier, target, line } of importsOf(tree, path)) {
        if (target !== undefined || specifier.startsWith('node:')) continue;
        const name = packageOf(specifier);
        used.add(name);
        if (name in dependencies || path.startsWith('cri/proto/generate')) continue;
        violations.push({ path, line, message: `${name} is not in dependencies of package.json` });
      }
    }
    for (const path of tree.paths())
      if (path.startsWith('bin/') || GENERATED_CODEC.test(path))
        for (const name of Object.keys(dependencies)) if (tree.text(path).includes(name)) used.add(name);
    const peers = [...used].flatMap((name) => peersOf(tree, name));
    for (const name of peers) used.add(name);
    for (const name of Object.keys(dependencies))
      if (!used.has(name))
        violations.push({ path: 'package.json', line: 0, message: `${name} is used nowhere` });
    return violations;
  },
};

const GENERATED_CODEC = /^cri\/proto\/.*\.[cm]?js$/;

export const exactVersions: Rule = {
  name: 'package.json: exact versions',
  check(tree) {
    const { dependencies, devDependencies } = manifest(tree);
    return Object.entries({ ...dependencies, ...devDependencies })
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => ({
        path: 'package.json',
        line: 0,
        message: `${name}: ${version} is no exact version`,
      }));
  },
};

interface Locked {
  integrity?: string;
  link?: boolean;
  optional?: boolean;
  os?: string | string[];
  cpu?: string | string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

function locked(tree: SourceTree): [string, Locked][] {
  const { packages = {} } = JSON.parse(tree.text(LOCK)) as { packages?: Record<string, Locked> };
  return Object.entries(packages).filter(([name]) => name !== '');
}

const LOCK = 'package-lock.json';

export const lockWithoutAddresses: Rule = {
  name: 'package-lock.json: no download addresses, every package that is installed with its integrity',
  check(tree) {
    const text = tree.text(LOCK);
    const addresses = [...text.matchAll(/"resolved": "(?!file:)[^"]*"/g)].map((match) => ({
      path: LOCK,
      line: lineOf(text, match.index),
      message: `download address: ${match[0]}`,
    }));
    const bare = locked(tree)
      .filter(([, entry]) => entry.integrity === undefined && entry.link !== true && !isForeign(entry))
      .map(([name]) => ({ path: LOCK, line: 0, message: `${name} has no integrity` }));
    return [...addresses, ...bare];
  },
};

/** Whether npm leaves a package out on Linux on x86_64 with glibc. */
function isForeign({ optional, os, cpu, libc }: Locked): boolean {
  const excludes = (wanted: string | string[] | undefined, here: string): boolean =>
    wanted !== undefined && ![wanted].flat().includes(here);
  return optional === true && (excludes(os, 'linux') || excludes(cpu, 'x64') || excludes(libc, 'glibc'));
}

/** `npm ci` refuses a lock file without them; `npm install` leaves them out where a registry does not have them. */
export const lockIsWhole: Rule = {
  name: 'package-lock.json: optional packages of other platforms have entries too',
  check(tree) {
    const entries = locked(tree);
    const names = new Set(entries.map(([name]) => name));
    return entries.flatMap(([name, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter(
          (wanted) => !names.has(`node_modules/${wanted}`) && !names.has(`${name}/node_modules/${wanted}`),
        )
        .map((wanted) => ({ path: LOCK, line: 0, message: `${name} wants ${wanted}, which has no entry` })),
    );
  },
};
