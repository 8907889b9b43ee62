import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationDocument } from './configuration.ts';
import { metricsDocument } from './metrics.ts';

/** The documents that are made from the code, by path in the repository. Throws when one cannot be made whole. */
export function generatedDocuments(): Record<string, string> {
  return { 'docs/configuration.md': configurationDocument(), 'docs/metrics.md': metricsDocument() };
}

if (import.meta.main) {
  const check = process.argv.includes('--check');
  for (const [path, text] of Object.entries(generatedDocuments())) {
    const file = join(import.meta.dirname, '../..', path);
    if (!check) writeFileSync(file, text);
    else if (readFileSync(file, 'utf8') !== text) {
      process.stderr.write(`${path} is not what the code says: run npm run documents\n`);
      process.exitCode = 1;
    }
  }
}
