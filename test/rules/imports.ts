import { posix } from 'node:path';
import { lineOf, type SourceTree } from './source-tree.ts';

export interface Import {
  /** As written: `node:fs`, `koffi`, `../pod/pods.ts`. */
  specifier: string;
  /** Path in the tree when the specifier is relative. */
  target: string | undefined;
  line: number;
}

const STATIC = /(?:^|[\s;])(?:import|export)\s(?:[^'"`;=()]*?\sfrom\s*)?['"]([^'"\n]+)['"]/g;
const DYNAMIC = /\b(?:import|require|require\.resolve|import\.meta\.resolve)\(\s*['"`]([^'"`\n$]+)['"`]/g;

/** All imports of one file, static, dynamic and type-only ones. Comments are not looked at. */
export function importsOf(tree: SourceTree, path: string): Import[] {
  const code = withoutComments(tree.text(path));
  return [STATIC, DYNAMIC].flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => {
      const specifier = match[1]!;
      const target = specifier.startsWith('.')
        ? posix.normalize(posix.join(posix.dirname(path), specifier))
        : undefined;
      return { specifier, target, line: lineOf(code, match.index + match[0].indexOf(specifier)) };
    }),
  );
}

/** The package that a bare specifier belongs to: `@grpc/grpc-js/build/x` -> `@grpc/grpc-js`. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Blanks out comments and keeps every line break, so that line numbers stay true. */
export function withoutComments(code: string): string {
  const pattern = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return code.replace(pattern, (text) =>
    text.startsWith('/*') || text.startsWith('//') ? text.replace(/[^\n]/g, ' ') : text,
  );
}
