import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from './container.ts';
import type { Parts } from './parts.ts';
import type { OciProcess, OciSpec } from './spec/oci-spec.ts';

/** The process that a container was created with: user, environment, capabilities. A command run inside gets the same. */
export function bundleProcess(parts: Parts, container: Container): OciProcess {
  if (container.process === undefined) {
    const file = join(parts.paths.bundle(container.id), 'config.json');
    container.process = (JSON.parse(readFileSync(file, 'utf8')) as OciSpec).process;
  }
  return container.process;
}
