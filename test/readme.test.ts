import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../cri/config/load.ts';
import { defaultConfig } from '../cri/config/schema.ts';

describe('README.md', () => {
  it('shows the configuration with its real defaults', () => {
    const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
    const toml = /```toml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const directory = mkdtempSync('/tmp/berth-readme-');
    try {
      const file = join(directory, 'berth.toml');
      writeFileSync(file, toml);
      assert.deepEqual(loadConfig(file).config, defaultConfig());
      assert.match(toml, /^root = /m);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
