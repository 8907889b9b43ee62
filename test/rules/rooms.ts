import { importsOf } from './imports.ts';
import type { Rule, SourceTree, Violation } from './source-tree.ts';

/** Each room and the rooms that it may know. Imports point down only. */
export const ROOMS: Record<string, readonly string[]> = {
  cri: ['pod', 'image', 'network', 'ground'],
  pod: ['image', 'network', 'native', 'ground'],
  image: ['native', 'ground'],
  network: ['cni', 'kubernetes', 'native', 'ground'],
  kubernetes: ['ground'],
  cni: ['native', 'ground'],
  native: ['ground'],
  ground: [],
};

/** The composition root puts the house together, and the generator of documents tells of all of it. */
const COMPOSITION_ROOT = /^cri\/(main\.ts|compose[\w-]*\.ts|(commands|documents)\/.*)$/;

/** The room in which a file stands, or undefined for `test/`, `deploy/` and files at the top. */
export function roomOf(path: string): string | undefined {
  const top = path.split('/')[0]!;
  return path.includes('/') && top in ROOMS ? top : undefined;
}

/** TypeScript files of the rooms. */
export function roomFiles(tree: SourceTree, options: { tests: boolean }): string[] {
  return tree.paths().filter((path) => {
    if (roomOf(path) === undefined || !/\.[cm]?ts$/.test(path)) return false;
    return options.tests || !path.endsWith('.test.ts');
  });
}

function mayImport(path: string, from: string, target: string): string | undefined {
  const room = roomOf(target);
  const top = target.split('/')[0]!;
  if (room === from) return undefined;
  if (room !== undefined) {
    if (ROOMS[from]!.includes(room) || COMPOSITION_ROOT.test(path)) return undefined;
    const allowed = ROOMS[from]!.length === 0 ? 'no other room' : ROOMS[from]!.join(', ');
    return `${from} may import ${allowed}, not ${room}`;
  }
  if (target === 'package.json') return undefined;
  // The commands by which Berth reaches a node belong to the same program.
  if (top === 'deploy' && COMPOSITION_ROOT.test(path)) return undefined;
  if (top === 'test' && path.endsWith('.test.ts')) return undefined;
  return `a room may not import ${target}`;
}

export const roomImports: Rule = {
  name: 'rooms: imports point down only',
  check(tree) {
    return roomFiles(tree, { tests: true }).flatMap((path) =>
      importsOf(tree, path).flatMap(({ target, line }) => {
        const message = target === undefined ? undefined : mayImport(path, roomOf(path)!, target);
        return message === undefined ? [] : [{ path, line, message }];
      }),
    );
  },
};

const FORBIDDEN = new Map([
  ['child_process', 'children start through native/spawn.ts, never through node:child_process'],
  ['node:child_process', 'children start through native/spawn.ts, never through node:child_process'],
  ['node:cluster', 'one daemon is one process'],
]);

export const forbiddenModules: Rule = {
  name: 'rooms: no modules that bypass native/',
  check(tree) {
    return roomFiles(tree, { tests: false }).flatMap((path) =>
      importsOf(tree, path).flatMap(({ specifier, line }): Violation[] => {
        const message = FORBIDDEN.get(specifier);
        if (message !== undefined) return [{ path, line, message }];
        if (specifier === 'koffi' && roomOf(path) !== 'native')
          return [{ path, line, message: 'only native/ speaks to the kernel through koffi' }];
        return [];
      }),
    );
  },
};

export const noCycles: Rule = {
  name: 'no circular imports',
  check(tree) {
    const state = new Map<string, 'open' | 'done'>();
    const violations: Violation[] = [];
    const visit = (path: string, trail: string[]): void => {
      state.set(path, 'open');
      for (const { target, line } of importsOf(tree, path)) {
        if (target === undefined || !tree.has(target) || !target.endsWith('.ts')) continue;
        if (state.get(target) === 'open') {
          const circle = [...trail.slice(trail.indexOf(target)), target];
          violations.push({ path, line, message: `circular import: ${circle.join(' -> ')}` });
        } else if (!state.has(target)) visit(target, [...trail, target]);
      }
      state.set(path, 'done');
    };
    for (const path of tree.paths()) if (path.endsWith('.ts') && !state.has(path)) visit(path, [path]);
    return violations;
  },
};
