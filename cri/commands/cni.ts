import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { OWN_TYPES } from '../../network/plugins/own-plugins.ts';

const MARK = '# A CNI plugin of Berth; written by `berth cni install`.';

/** `berth cni list`: the types of the plugins that Berth brings. */
export function cniList(): void {
  for (const type of OWN_TYPES) process.stdout.write(`${type}\n`);
}

/**
 * `berth cni install DIR`: writes one small program for each plugin, to be used by any container runtime. A file that
 * somebody else put there stays, unless `force`; `only` names the types that are wanted, with commas between. Throws Fault `exists`, or `not-found` for a type that there is not, before
 * anything is written.
 */
export function cniInstall(directory: string, options: { force?: boolean; only?: string }): void {
  const only = options.only?.split(',');
  const unknown = (only ?? []).filter((type) => !OWN_TYPES.some((own) => own === type));
  if (unknown.length > 0)
    throw new Fault('not-found', `There is no plugin ${unknown.join(', ')}`, {
      hint: 'berth cni list names them',
    });
  const files = OWN_TYPES.filter((type) => only?.includes(type) ?? true).map((type) => ({
    type,
    path: join(resolve(directory), type),
  }));
  const foreign = files.filter(({ path }) => ownership(path) === 'foreign');
  if (foreign.length > 0 && options.force !== true)
    throw new Fault('exists', `Other plugins are installed: ${foreign.map(({ path }) => path).join(', ')}`, {
      hint: 'choose a directory of its own and put it first in CNI_PATH, or replace them with --force',
    });
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  for (const { type, path } of files) {
    const fresh = join(dirname(path), `.${type}.berth-new`);
    writeFileSync(fresh, program(type), { mode: 0o755 });
    renameSync(fresh, path);
    process.stdout.write(`${path}\n`);
  }
}

/** `berth cni remove DIR`: takes away what `install` wrote, and nothing else. */
export function cniRemove(directory: string): void {
  for (const type of OWN_TYPES) {
    const path = join(resolve(directory), type);
    if (ownership(path) !== 'ours') continue;
    rmSync(path);
    process.stdout.write(`${path}\n`);
  }
}

function ownership(path: string): 'none' | 'ours' | 'foreign' {
  try {
    // Ours are a few hundred bytes: a binary is not read for this.
    const { size } = lstatSync(path);
    return size < 4096 && readFileSync(path, 'utf8').includes(MARK) ? 'ours' : 'foreign';
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 'none';
    throw error;
  }
}

function program(type: string): string {
  const executable = fileURLToPath(new URL('../../network/plugins/executable.ts', import.meta.url));
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  return `#!/bin/sh
${MARK}
export NODE_COMPILE_CACHE="\${NODE_COMPILE_CACHE:-/var/cache/berth/compile}" UV_THREADPOOL_SIZE=2 MALLOC_ARENA_MAX=1
exec ${quote(process.execPath)} --disable-warning=ExperimentalWarning --v8-pool-size=0 \\
  ${quote(executable)} ${type}
`;
}
