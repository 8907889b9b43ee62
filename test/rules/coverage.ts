import type { Rule, SourceTree, Violation } from './source-tree.ts';

const TABLE = 'docs/cri-coverage.md';
/** The wire's table; a test of its own holds it against the proto. */
const WIRE = 'cri/proto/wire.txt';

/** `Version`, `Mount.host_path`: every RPC and every field that the CRI has. */
function namesOfWire(tree: SourceTree): Set<string> {
  const names = new Set<string>();
  let message: string | undefined;
  for (const line of tree.text(WIRE).split('\n')) {
    const [head, word = ''] = line.split(' ');
    if (head === 'rpc') names.add(line.split(' ')[2]!);
    else if (head === 'message') message = word;
    else if (head === 'enum') message = undefined;
    const field = /^ {2}\d+ (\w+)/.exec(line)?.[1];
    if (message !== undefined && field !== undefined) names.add(`${message}.${field}`);
  }
  return names;
}

export const criCoverage: Rule = {
  name: `${TABLE}: a row for every RPC and field, with tests that are there`,
  check(tree) {
    if (!tree.has(WIRE)) return [];
    const missing = namesOfWire(tree);
    const known = new Set(missing);
    const rows = tree.has(TABLE) ? tree.text(TABLE).split('\n') : [];
    const found = rows.flatMap((row, index): Violation[] => {
      const cells = /^\| `([\w.]+)` \|(.*)\|(.*)\|$/.exec(row);
      if (cells === null) return [];
      const [, name, what, tests] = cells as unknown as [string, string, string, string];
      const violation = (message: string): Violation => ({ path: TABLE, line: index + 1, message });
      if (!known.has(name)) return [violation(`the CRI has no ${name}`)];
      if (!missing.delete(name)) return [violation(`${name} has two rows`)];
      if (what.trim() === '') return [violation(`says nothing of ${name}`)];
      const files = [...tests.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
      if (files.length === 0) return [violation(`names no test for ${name}`)];
      return files
        .filter((file) => !file.endsWith('.test.ts') || !tree.has(file))
        .map((file) => violation(`no such test: ${file}`));
    });
    return [
      ...found,
      ...[...missing].map((name) => ({ path: TABLE, line: 0, message: `has no row for ${name}` })),
    ];
  },
};
