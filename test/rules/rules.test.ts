import assert from 'node:assert/strict';
import { criCoverage } from './coverage.ts';
import { commandLines } from './command-lines.ts';
import { configurationKeys } from './configuration-keys.ts';
import * as documents from './documents.ts';
import * as files from './files.ts';
import { importsOf, packageOf } from './imports.ts';
import * as packages from './packages.ts';
import * as rooms from './rooms.ts';
import { RULES } from './all.ts';
import { SourceTree, type Rule } from './source-tree.ts';

/** A small sound tree; each test changes one thing in it. */
const SOUND: Record<string, string> = {
  'README.md':
    'Run `npm run check` or `./bin/berth`; see [the house](docs/architecture.md#rooms).\n' +
    [
      'configuration',
      'cri-coverage',
      'dependencies',
      'install',
      'limits',
      'metrics',
      'moving',
      'principles',
      'security',
    ]
      .map((name) => `[x](docs/${name}.md)`)
      .join() +
    '[x](docs/troubleshooting.md)[x](docs/architecture.md)',
  'CHANGELOG.md': '',
  'CONTRIBUTING.md': '',
  LICENSE: '',
  'docs/architecture.md': `# Rooms\n${Object.keys(rooms.ROOMS)
    .map((room) => `\`${room}/\``)
    .join()}\n`,
  'docs/configuration.md': '',
  'docs/install.md': '',
  'docs/limits.md': '',
  'docs/metrics.md': '',
  'docs/moving.md': '',
  'docs/security.md': '',
  'docs/troubleshooting.md': '### `invalid`\n### `not-found`: NOT_FOUND\n',
  'ground/fault.ts': "export type FaultKind =\n  | 'invalid'\n  | 'not-found';\n",
  'docs/dependencies.md': '| `koffi` | the kernel |\n| `mocha` | tests |\n',
  'docs/principles.md': '',
  'docs/cri-coverage.md':
    '| `Version` | says | `pod/a.test.ts` |\n| `Mount.host_path` | mounted | `pod/a.test.ts` |\n',
  'cri/proto/wire.txt':
    'rpc RuntimeService Version (V) -> (V)\n\nmessage Mount\n  2 host_path string\n\nenum Mode\n  0 POD\n',
  'pod/a.test.ts': '',
  'bin/berth': '#!/bin/sh\n',
  'package.json': JSON.stringify({
    scripts: { check: 'x' },
    dependencies: { koffi: '3.3.4' },
    devDependencies: { mocha: '12.0.3' },
  }),
  'package-lock.json': JSON.stringify({
    packages: { '': {}, 'node_modules/koffi': { integrity: 'sha512-x' } },
  }),
  'native/libc.ts': "import koffi from 'koffi';\nexport const libc = koffi;\n",
  'pod/pods.ts': "import type { libc } from '../native/libc.ts';\nexport type Libc = typeof libc;\n",
};

function found(rule: Rule, changes: Record<string, string | undefined>): string[] {
  const entries = Object.entries({ ...SOUND, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return rule.check(new SourceTree(entries)).map(({ path, line, message }) => `${path}:${line} ${message}`);
}

const PLANTED: [Rule, string, Record<string, string | undefined>, RegExp][] = [
  [
    rooms.roomImports,
    'an import that points up',
    { 'native/a.ts': "\nimport '../pod/pods.ts';\n" },
    /native\/a\.ts:2 native may import ground, not pod/,
  ],
  [
    rooms.roomImports,
    'an import between neighbours',
    { 'image/a.ts': "import type {\n  X,\n} from '../network/b.ts';\n" },
    /image\/a\.ts:3 .*not network/,
  ],
  [
    rooms.roomImports,
    'a dynamic import',
    { 'ground/a.ts': "await import('../native/libc.ts');\n" },
    /not native/,
  ],
  [rooms.roomImports, 'a re-export', { 'ground/a.ts': "export * from '../native/libc.ts';\n" }, /not native/],
  [
    rooms.roomImports,
    'a room that imports tests',
    { 'pod/a.ts': "import '../test/x.ts';\n" },
    /may not import test\/x\.ts/,
  ],
  [
    rooms.forbiddenModules,
    'child_process in a room',
    { 'pod/a.ts': "import { spawn } from 'node:child_process';\n" },
    /native\/spawn\.ts/,
  ],
  [
    rooms.forbiddenModules,
    'koffi outside of native',
    { 'pod/a.ts': "import koffi from 'koffi';\n" },
    /only native/,
  ],
  [
    documents.symptomsDescribed,
    'a kind of error without its paragraph',
    { 'docs/troubleshooting.md': '### `invalid`\nand `not-found` in passing\n' },
    /nothing of the kind of error not-found/,
  ],
  [
    documents.symptomsDescribed,
    'a source that says it in another way',
    { 'ground/fault.ts': "export type FaultKind = 'invalid' | 'not-found';\n" },
    /mend the rule/,
  ],
  [
    documents.documentsListed,
    'a document that nobody finds',
    { 'docs/lost.md': '' },
    /no link to docs\/lost\.md/,
  ],
  [
    rooms.noCycles,
    'a circle of three',
    { 'pod/a.ts': "import './b.ts';\n", 'pod/b.ts': "import './c.ts';\n", 'pod/c.ts': "import './a.ts';\n" },
    /pod\/a\.ts -> pod\/b\.ts -> pod\/c\.ts -> pod\/a\.ts/,
  ],
  [files.fileSize, 'a long file', { 'pod/a.ts': 'x\n'.repeat(401) }, /401 lines/],
  [
    files.exportedDocs,
    'a bare function',
    { 'pod/a.ts': '/** Documented. */\nexport function a() {}\nexport async function b() {}\n' },
    /pod\/a\.ts:3 b has no docstring/,
  ],
  [
    files.noMachinePaths,
    'a path of one machine',
    { 'docs/a.md': `see /${'work'}/x\n` },
    /docs\/a\.md:1 path/,
  ],
  [
    packages.dependencyLines,
    'a dependency without a line',
    { 'docs/dependencies.md': '| `koffi` | x |\n' },
    /mocha has no line/,
  ],
  [
    packages.dependencyLines,
    'a line without a dependency',
    { 'docs/dependencies.md': `${SOUND['docs/dependencies.md']}| \`left-pad\` | x |\n` },
    /left-pad is not in package\.json/,
  ],
  [
    packages.dependencyLines,
    'two lines',
    { 'docs/dependencies.md': `${SOUND['docs/dependencies.md']}| \`koffi\` | x |\n` },
    /two lines/,
  ],
  [
    packages.runtimeDependencies,
    'an undeclared package',
    { 'pod/a.ts': "import x from 'left-pad/y';\n" },
    /left-pad is not in dependencies/,
  ],
  [
    packages.runtimeDependencies,
    'an unused package',
    { 'native/libc.ts': 'export {};\n' },
    /koffi is used nowhere/,
  ],
  [
    packages.exactVersions,
    'a range',
    { 'package.json': SOUND['package.json']!.replace('3.3.4', '^3.3.4') },
    /no exact version/,
  ],
  [
    packages.lockWithoutAddresses,
    'an address',
    { 'package-lock.json': '{"packages":{}, "resolved": "https://r/x.tgz"}' },
    /download address/,
  ],
  [
    packages.lockWithoutAddresses,
    'a package without integrity',
    { 'package-lock.json': '{"packages":{"node_modules/x":{}}}' },
    /no integrity/,
  ],
  [
    packages.lockIsWhole,
    'a package of another platform without an entry',
    {
      'package-lock.json':
        '{"packages":{"node_modules/a":{"integrity":"x","optionalDependencies":{"b":"1"}}}}',
    },
    /node_modules\/a wants b/,
  ],
  [documents.requiredDocuments, 'a missing document', { LICENSE: undefined }, /LICENSE:0 is missing/],
  [documents.linksResolve, 'a dead link', { 'docs/a.md': '\n[x](b.md)\n' }, /docs\/a\.md:2 no such file/],
  [
    documents.linksResolve,
    'a dead heading',
    { 'docs/a.md': '[x](architecture.md#cellar)\n' },
    /no such heading/,
  ],
  [
    documents.commandsExist,
    'an unknown script',
    { 'docs/a.md': 'npm run fly\n' },
    /no such script: npm run fly/,
  ],
  [
    documents.commandsExist,
    'an unknown program',
    { 'docs/a.md': 'Run `./bin/fly`.\n' },
    /no such file: bin\/fly/,
  ],
  [
    commandLines,
    'an unknown command of berth in the text',
    { 'docs/a.md': 'Then\n`berth image pusch NAME`.\n' },
    /docs\/a\.md:2 berth image has no command pusch/,
  ],
  [
    commandLines,
    'an unknown option of berth in a block',
    { 'docs/a.md': '```sh\nsudo ./bin/berth status --jason | jq # look\n```\n' },
    /docs\/a\.md:2 berth status has no option --jason/,
  ],
  [
    commandLines,
    'an unknown one of several commands',
    { 'docs/a.md': '`berth node install|update --host /h`\n' },
    /docs\/a\.md:1 berth node has no command update/,
  ],
  [
    configurationKeys,
    'an unknown key of the configuration',
    { 'docs/a.md': 'Set `image.pined`\nor `image.pinned`.\n' },
    /docs\/a\.md:1 no such key: image\.pined/,
  ],
  [
    configurationKeys,
    'an unknown key behind its section',
    { 'docs/a.md': '\n`[cri] liste = "x"`\n' },
    /docs\/a\.md:2 no such key: cri\.liste/,
  ],
  [
    documents.roomsDescribed,
    'an undescribed room',
    { 'docs/architecture.md': SOUND['docs/architecture.md']!.replace('`cri/`', '') },
    /nothing of cri/,
  ],
  ...(
    [
      ['a field without a row', '  3 readonly bool\n', '', /0 has no row for Mount\.readonly/],
      ['a row without a field', '', '| `Mount.x` | kept | `pod/a.test.ts` |\n', /3 the CRI has no Mount\.x/],
      ['a second row', '', '| `Version` | again | `pod/a.test.ts` |\n', /3 Version has two rows/],
      ['a row that says nothing', '  3 a bool\n', '| `Mount.a` | | `pod/a.test.ts` |\n', /says nothing of/],
      ['a row without a test', '  3 a bool\n', '| `Mount.a` | kept | none |\n', /names no test for Mount\.a/],
      [
        'a test that is not there',
        '  3 a bool\n',
        '| `Mount.a` | kept | `pod/b.test.ts` |\n',
        /no such test/,
      ],
    ] as const
  ).map(([what, field, row, expected]): (typeof PLANTED)[number] => [
    criCoverage,
    what,
    {
      'cri/proto/wire.txt': SOUND['cri/proto/wire.txt']!.replace('\n\nenum', `\n${field}\nenum`),
      'docs/cri-coverage.md': SOUND['docs/cri-coverage.md']! + row,
    },
    expected,
  ]),
];

describe('rules of the house', () => {
  for (const rule of RULES)
    it(`accepts a sound tree: ${rule.name}`, () => assert.deepEqual(found(rule, {}), []));
  for (const [rule, what, changes, expected] of PLANTED)
    it(`finds ${what}`, () => {
      const violations = found(rule, changes);
      assert.equal(violations.length, 1, violations.join('\n'));
      assert.match(violations[0]!, expected);
    });
  it('has a planted violation for each rule', () =>
    assert.deepEqual(
      RULES.filter((rule) => !PLANTED.some(([planted]) => planted === rule)),
      [],
    ));
  it('reads imports and leaves comments alone', () => {
    const text =
      "// import './no.ts'\n/* import './no.ts' */\nimport a, { b } from './a.ts';\nexport type { C } from '@x/y/z';\nconst s = \"import './no.ts'\";\n";
    const read = importsOf(SourceTree.of({ 'pod/x.ts': text }), 'pod/x.ts');
    assert.deepEqual(
      read.map(({ specifier, target, line }) => [specifier, target, line]),
      [
        ['./a.ts', 'pod/a.ts', 3],
        ['@x/y/z', undefined, 4],
      ],
    );
    assert.equal(packageOf('@x/y/z'), '@x/y');
  });
});
