import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Script } from 'node:vm';
import { bundle, type Bundle } from './bundle.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('the bundle', () => {
  let directory: string;
  let made: Bundle;

  before(async function () {
    this.timeout(60_000);
    directory = mkdtempSync(join(tmpdir(), 'berth-bundle-'));
    made = await bundle(ROOT, join(directory, 'out'));
  });

  after(() => rmSync(directory, { recursive: true }));

  it('has a file for each thread and program that the sources load by its address', () => {
    const sources = globSync('{ground,native,cri,pod,image,network,cni,kubernetes,deploy}/**/*.ts', {
      cwd: ROOT,
    })
      .filter((path) => !path.endsWith('.test.ts') && !path.startsWith('deploy/dist/'))
      .map((path) => readFileSync(join(ROOT, path), 'utf8'));
    const addresses = sources.flatMap((text) =>
      [...text.matchAll(/new URL\(\s*['"`]([^'"`]+\.ts)['"`],\s*import\.meta\.url/g)].map(
        (match) => match[1]!,
      ),
    );
    assert.ok(addresses.length >= 5, 'they are found');
    const names = made.files.map(({ name }) => name);
    for (const address of addresses) assert.ok(names.includes(basename(address, '.ts') + '.js'), address);
    for (const name of ['berth.js', 'load.cjs']) assert.ok(names.includes(name), name);
  });

  it('names no source, imports nothing but its own files, and takes none of Node by an import statement', () => {
    for (const { name } of made.files) {
      const text = readFileSync(join(directory, 'out', name), 'utf8');
      assert.doesNotMatch(text, /new URL\("[^"]+\.ts",(import\.meta\.url|moduleUrl)/, name);
      const imported = [...text.matchAll(/(?:^|;)import[\s{*][^;'"]*from"([^"]+)"/gm)].map(
        (match) => match[1]!,
      );
      for (const target of imported) assert.match(target, /^\.\/[\w-]+\.js$/, `${name} imports ${target}`);
    }
  });

  it('is a script of one-byte characters, as its loader reads it', () => {
    const bytes = readFileSync(join(directory, 'out/berth.js'));
    assert.equal(
      bytes.findIndex((byte) => byte > 0x7f),
      -1,
    );
    const text = bytes.toString('latin1');
    assert.doesNotMatch(text, /import\.meta\./);
    assert.equal(typeof new Script(text).runInThisContext(), 'function');
  });

  it('leaves out what packages bring for others and what costs time at each start', () => {
    const text = readFileSync(join(directory, 'out/berth.js'), 'utf8');
    assert.doesNotMatch(text, /getCallSites/, 'pino looks who opens the log');
    assert.doesNotMatch(text, /require\("node:child_process"\)/, 'commander starts programs');
  });

  it('keeps the client library of Kubernetes out of what every daemon loads', () => {
    const size = (name: string): number => made.files.find((file) => file.name === name)!.bytes;
    assert.ok(size('berth.js') < size('kubernetes-client.js'));
    assert.ok(made.packages.includes('node_modules/@grpc/grpc-js'), made.packages.join());
  });
});
