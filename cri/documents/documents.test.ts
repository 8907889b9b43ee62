import assert from 'node:assert/strict';
import { SECTIONS } from '../config/schema.ts';
import { generatedDocuments } from './generate.ts';
import { markdownTable } from './markdown.ts';

describe('the generated documents', () => {
  const documents = generatedDocuments();

  it('have every key of the configuration', () => {
    const text = documents['docs/configuration.md']!;
    for (const [section, keys] of Object.entries(SECTIONS))
      for (const key of Object.keys(keys)) assert.ok(text.includes(`| \`${key}\` |`), `${section}.${key}`);
    assert.match(
      text,
      /^\| `level` \| `"info"` \| one of error, warn, info, debug, \*live\* \| What is logged\. \|$/m,
    );
  });

  it('have each metric with its type, labels, unit and an advice', () => {
    const text = documents['docs/metrics.md']!;
    assert.match(
      text,
      /^\| `berth_rpc_duration_seconds` \| histogram \| `rpc`, `code` \| seconds \| Time [^|]+\. \| [^|]+\. \|$/m,
    );
    assert.match(text, /^\| `container_cpu_usage_seconds_total` \| counter \|/m);
    assert.doesNotMatch(text, /undefined|\[object/);
  });

  it('have tables in which a bar is no end', () => {
    assert.equal(markdownTable(['a'], [['x|y']]), '| a |\n|---|\n| x\\|y |\n');
  });
});
