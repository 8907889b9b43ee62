import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';

const REPOSITORY = join(import.meta.dirname, '../..');

describe('the programs that start Node', () => {
  it('look for the authorities of the node in the same places', () => {
    const [one, other] = ['bin/berth', 'deploy/dist/launcher.sh'].map(
      (file) =>
        /^# Registries are held[^]*roots=--use-openssl-ca$/m.exec(
          readFileSync(join(REPOSITORY, file), 'utf8'),
        )![0],
    );
    assert.equal(one, other);
  });

  for (const file of ['bin/berth', 'deploy/dist/launcher.sh'])
    it(`${file}: its flags let V8 take the compiled code that Node carries of its own modules`, () => {
      const text = readFileSync(join(REPOSITORY, file), 'utf8');
      const command = /^exec "[^"]*node" ((?:.*\\\n)*.*)$/m.exec(text)?.[1];
      const flags = command?.match(/(?<=^|\s)--[\w-]+(=\w+)?/g) ?? [];
      assert.ok(flags.length > 0, `no flags in ${file}`);
      assert.equal(versionTag(flags), versionTag([]), `one of ${flags.join(' ')} does not`);
      assert.notEqual(versionTag([...flags, '--expose-gc']), versionTag([]));
    });
});

/** What compiled code is held against when it is loaded (v8.cachedDataVersionTag). */
function versionTag(flags: string[]): string {
  const print = 'process.stdout.write(String(process.getBuiltinModule("node:v8").cachedDataVersionTag()))';
  return execFileSync(process.execPath, [...flags, '-e', print], { encoding: 'utf8' });
}
