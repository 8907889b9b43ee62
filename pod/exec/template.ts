import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import type { OciSpec } from '../spec/oci-spec.ts';
import { compiledFilter } from '../spec/seccomp/compiled-filter.ts';
import type { CommandTemplate } from './command-template.ts';

/** The template of a container, from its bundle; later ones from memory. */
export function commandTemplate(parts: Parts, container: Container): CommandTemplate {
  container.template ??= readTemplate(parts, container);
  return container.template;
}

function readTemplate(parts: Parts, container: Container): CommandTemplate {
  const file = join(parts.paths.bundle(container.id), 'config.json');
  const { process, linux } = JSON.parse(readFileSync(file, 'utf8')) as OciSpec;
  const { takesCompiledFilter } = parts.handlers.pick(container.record.handler).runtime;
  const localhost = container.record.config.security.seccomp?.type === 'localhost';
  if (linux.seccomp === undefined) return { process, filter: 'none' };
  // runc adds to a filter what it knows of newer calls; the default profile leaves nothing to add.
  if (localhost && !takesCompiledFilter) return { process, filter: 'untranslated' };
  return { process, filter: compiledFilter(linux.seccomp) ?? 'untranslated' };
}
