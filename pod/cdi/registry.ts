import { readdirSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, messageOf } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { parseCdiSpec, type CdiEdits, type CdiSpec } from './spec.ts';

const MAX_FILES = 1000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

interface Known {
  spec: CdiSpec;
  edits: CdiEdits;
  file: string;
  /** Position of its directory: later ones win. */
  priority: number;
}

/** What lies in the directories of CDI files. */
interface Registry {
  devices: Map<string, Known>;
  /** Files that describe a device twice in one directory: neither counts. */
  conflicts: Map<string, string[]>;
  /** What could not be read, one sentence a file. */
  errors: string[];
}

/**
 * The changes that these devices ask for, in order: what a file asks for on behalf of all its devices comes once, before
 * its first one (CDI specification, "Container Edits"). The directories are read anew each time: drivers change them
 * while pods come and go. A later directory wins over an earlier one.
 *
 * Throws `invalid` for devices that no file describes, and for those that two files of one directory describe; the text
 * tells of files that could not be read.
 */
export async function cdiEdits(directories: string[], names: string[]): Promise<CdiEdits[]> {
  if (names.length === 0) return [];
  const registry = await readDirectories(directories);
  const unknown = names.filter((name) => !registry.devices.has(name));
  if (unknown.length > 0) throw unresolvable(unknown, registry, directories);
  const seen = new Set<CdiSpec>();
  return names.flatMap((name) => {
    const { spec, edits } = registry.devices.get(name)!;
    const common = seen.has(spec) || spec.containerEdits === undefined ? [] : [spec.containerEdits];
    seen.add(spec);
    return [...common, edits];
  });
}

function unresolvable(names: string[], registry: Registry, directories: string[]): Fault {
  const twice = names.flatMap((name) => {
    const files = registry.conflicts.get(name);
    return files === undefined ? [] : [`${name} is described by ${files.join(' and by ')}`];
  });
  const known = [...registry.devices.keys()].slice(0, 20).join(', ');
  const what = [`There are no such CDI devices: ${names.join(', ')}`, ...twice, ...registry.errors].join(
    '; ',
  );
  return new Fault('invalid', what, {
    hint: known === '' ? `no file in ${directories.join(' or ')} describes a device` : `known are ${known}`,
  });
}

async function readDirectories(directories: string[]): Promise<Registry> {
  const registry: Registry = { devices: new Map(), conflicts: new Map(), errors: [] };
  for (const [priority, directory] of directories.entries()) {
    for (const name of filesOf(directory)) {
      const file = join(directory, name);
      try {
        addFile(registry, file, priority, await parseCdiSpec(file, await readBounded(file)));
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) registry.errors.push(messageOf(error));
      }
    }
  }
  for (const name of registry.conflicts.keys()) registry.devices.delete(name);
  return registry;
}

function addFile(registry: Registry, file: string, priority: number, spec: CdiSpec): void {
  for (const { name, containerEdits: edits } of spec.devices) {
    const full = `${spec.kind}=${name}`;
    const before = registry.devices.get(full);
    if (before?.priority === priority) {
      const files = registry.conflicts.get(full) ?? [before.file];
      registry.conflicts.set(full, [...files, file]);
      continue;
    }
    // A directory that wins settles what two files of an earlier one disagreed on.
    registry.conflicts.delete(full);
    registry.devices.set(full, { spec, edits, file, priority });
  }
}

function filesOf(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => /\.(json|yaml)$/.test(name))
      .sort()
      .slice(0, MAX_FILES);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

async function readBounded(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > MAX_FILE_BYTES)
    throw new Fault('invalid', `It is larger than ${MAX_FILE_BYTES} bytes`, { subject: `CDI file ${file}` });
  return readFile(file, 'utf8');
}
