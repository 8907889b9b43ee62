import { withoutComments } from './imports.ts';
import { roomFiles } from './rooms.ts';
import { lineOf, type Rule, type Violation } from './source-tree.ts';

export const LINES_A_FILE = 400;

/** Files that a generator writes; the gate regenerates and compares them elsewhere. */
const GENERATED = /^cri\/proto\/(codec|.*generated)/;

export const fileSize: Rule = {
  name: `rooms: at most ${LINES_A_FILE} lines a file`,
  check(tree) {
    return roomFiles(tree, { tests: true }).flatMap((path) => {
      const lines = tree.text(path).trimEnd().split('\n').length;
      if (lines <= LINES_A_FILE || GENERATED.test(path)) return [];
      return [{ path, line: 0, message: `${lines} lines: split it (one idea a file)` }];
    });
  },
};

/** Paths that only exist on one machine. Written in parts, so that this file does not break its own rule. */
const MACHINE_PATHS = new RegExp(['/' + 'work/[a-z]', '/Users' + '/[A-Za-z]'].join('|'), 'g');

export const noMachinePaths: Rule = {
  name: 'no paths of one machine',
  check(tree) {
    return tree.paths().flatMap((path) => {
      const text = tree.text(path);
      return [...text.matchAll(MACHINE_PATHS)].map((match) => ({
        path,
        line: lineOf(text, match.index),
        message: `path of one machine: ${match[0]}…`,
      }));
    });
  },
};

export const exportedDocs: Rule = {
  name: 'rooms: exported functions and classes have a docstring',
  check(tree) {
    return roomFiles(tree, { tests: false })
      .filter((path) => !GENERATED.test(path) && !path.endsWith('.d.ts'))
      .flatMap((path) => {
        const text = tree.text(path);
        const code = withoutComments(text);
        const exported = /^export (?:default )?(?:abstract )?(?:async )?(?:function\*?|class) (\w+)/gm;
        const overloads = new Set<string>();
        return [...code.matchAll(exported)].flatMap((match): Violation[] => {
          const name = match[1]!;
          const documented = /\*\/\s*$/.test(text.slice(0, match.index)) || overloads.has(name);
          if (documented) overloads.add(name);
          return documented
            ? []
            : [{ path, line: lineOf(code, match.index), message: `${name} has no docstring` }];
        });
      });
  },
};
