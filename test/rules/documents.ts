import { posix } from 'node:path';
import { ROOMS } from './rooms.ts';
import { lineOf, type Rule, type SourceTree, type Violation } from './source-tree.ts';

const REQUIRED = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'docs/architecture.md',
  'docs/configuration.md',
  'docs/dependencies.md',
  'docs/install.md',
  'docs/limits.md',
  'docs/metrics.md',
  'docs/moving.md',
  'docs/principles.md',
  'docs/security.md',
  'docs/troubleshooting.md',
];

function documents(tree: SourceTree): string[] {
  return tree.paths().filter((path) => path.endsWith('.md'));
}

export const requiredDocuments: Rule = {
  name: 'docs: all are there',
  check: (tree) =>
    REQUIRED.filter((path) => !tree.has(path)).map((path) => ({ path, line: 0, message: 'is missing' })),
};

export const linksResolve: Rule = {
  name: 'docs: links lead somewhere',
  check(tree) {
    return documents(tree).flatMap((path) => {
      const text = tree.text(path);
      return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap((match): Violation[] => {
        const [target = '', anchor] = match[1]!.split('#');
        if (/^[a-z]+:/.test(target)) return [];
        const line = lineOf(text, match.index);
        const file = target === '' ? path : posix.normalize(posix.join(posix.dirname(path), target));
        if (!tree.hasEntry(file)) return [{ path, line, message: `no such file: ${match[1]}` }];
        if (anchor === undefined || !file.endsWith('.md') || anchorsOf(tree.text(file)).has(anchor))
          return [];
        return [{ path, line, message: `no such heading: ${match[1]}` }];
      });
    });
  },
};

function anchorsOf(markdown: string): Set<string> {
  const headings = [...markdown.matchAll(/^#+ (.+)$/gm)].map((match) => match[1]!);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replace(/ /g, '-'),
    ),
  );
}

export const commandsExist: Rule = {
  name: 'docs: commands that they name exist',
  check(tree) {
    const { scripts = {} } = JSON.parse(tree.text('package.json')) as { scripts?: Record<string, string> };
    return documents(tree).flatMap((path) => {
      const text = tree.text(path);
      const npm = [...text.matchAll(/npm run ([\w:-]+)/g)]
        .filter((match) => !(match[1]! in scripts))
        .map((match) => ({ path, line: lineOf(text, match.index), message: `no such script: ${match[0]}` }));
      const files = [...text.matchAll(/(?:^|[\s`])\.?\/?((?:bin|\.ci)\/[\w.-]+)/gm)]
        .filter((match) => !tree.has(match[1]!))
        .map((match) => ({ path, line: lineOf(text, match.index), message: `no such file: ${match[1]}` }));
      return [...npm, ...files];
    });
  },
};

export const roomsDescribed: Rule = {
  name: 'docs/architecture.md: describes every room',
  check(tree) {
    const path = 'docs/architecture.md';
    const text = tree.has(path) ? tree.text(path) : '';
    return Object.keys(ROOMS)
      .filter((room) => !text.includes(`\`${room}/\``))
      .map((room) => ({ path, line: 0, message: `says nothing of ${room}/` }));
  },
};

/** Where the words stand that a person may meet, and how to find them there. */
const WORDS: [what: string, path: string, pattern: RegExp][] = [
  ['the kind of error', 'ground/fault.ts', /^ {2}\| '([a-z-]+)'/gm],
  ['the condition reason', 'cri/convert/runtime-status.ts', /reason:.*'([A-Z]\w+)'/g],
  ['the condition reason', 'network/open-network.ts', /^const REASON = '(\w+)'/gm],
  ['the error name', 'cri/status.ts', /^ {2}'([A-Z]\w+)',$/gm],
];

export const symptomsDescribed: Rule = {
  name: 'docs/troubleshooting.md: has a heading for each kind of error and each reason',
  check(tree) {
    const path = 'docs/troubleshooting.md';
    const headings = tree.has(path) ? (tree.text(path).match(/^#+ .*$/gm) ?? []) : [];
    return WORDS.flatMap(([what, source, pattern]): Violation[] => {
      if (!tree.has(source)) return [];
      const words = [...tree.text(source).matchAll(pattern)].map((match) => match[1]!);
      if (words.length === 0)
        return [{ path: source, line: 0, message: `${what} cannot be found here: mend the rule` }];
      return words
        .filter((word) => !headings.some((heading) => heading.includes(`\`${word}\``)))
        .map((word) => ({ path, line: 0, message: `says nothing of ${what} ${word}` }));
    });
  },
};

export const documentsListed: Rule = {
  name: 'README.md: leads to every document',
  check(tree) {
    const text = tree.text('README.md');
    return documents(tree)
      .filter((path) => path.startsWith('docs/') && !text.includes(`(${path})`))
      .map((path) => ({ path: 'README.md', line: 0, message: `has no link to ${path}` }));
  },
};
