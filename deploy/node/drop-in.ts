import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { loadConfig } from '../../cri/config/load.ts';
import type { Config } from '../../cri/config/schema.ts';
import { Fault, messageOf } from '../../ground/fault.ts';
import type { HostFiles } from './host-files.ts';

const MAIN = '/etc/berth/berth.toml';
const DROP_INS = `${MAIN}.d`;
/** The installer's own drop-in; all others in that directory are the administrator's. */
export const DROP_IN = `${DROP_INS}/50-chart.toml`;

const HEAD = `# Written by the installer of the Helm chart: changes are lost. Own keys go into a file with a higher number,
# such as ${DROP_INS}/90-own.toml.
`;

/** The drop-in for keys of the configuration. */
export function renderDropIn(keys: Record<string, unknown>): string {
  const text = stringify(keys);
  return text.trim() === '' ? HEAD : `${HEAD}\n${text.trimEnd()}\n`;
}

/**
 * The configuration that would be in force on the node with this drop-in, by the schema of the daemon. Throws Fault
 * `invalid` that names every mistake by file and key, also those in the administrator's own files.
 */
export function configWith(files: HostFiles, dropIn: string): Config {
  const scratch = mkdtempSync(join(tmpdir(), 'berth-config-'));
  try {
    const main = join(scratch, 'berth.toml');
    mkdirSync(`${main}.d`);
    writeFileSync(main, files.read(MAIN) ?? '');
    for (const name of files.list(DROP_INS).filter((one) => one.endsWith('.toml')))
      writeFileSync(join(`${main}.d`, name), files.read(`${DROP_INS}/${name}`) ?? '');
    writeFileSync(join(`${main}.d`, '50-chart.toml'), dropIn);
    return loadConfig(main).config;
  } catch (error) {
    // The files are named as the node names them.
    const text = messageOf(error).replaceAll(`${scratch}/`, '/etc/berth/');
    throw new Fault('invalid', text);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
