import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../ground/fault.ts';
import { isErrno } from '../native/errno.ts';
import { type ConfigList, parseConfigList } from './config-list.ts';

/** A file that was passed over, and why. */
export interface BadConfig {
  file: string;
  reason: string;
}

const ENDINGS = /\.(conflist|conf|json)$/;

/**
 * The directory of CNI configurations. The first file by name that is sound gives the network; files before it that
 * are not are named in `bad`. `refresh` looks for changes: file notifications are lost on some filesystems, and a
 * node has few of them to give.
 */
export class ConfigDirectory {
  readonly path: string;
  #fingerprint: string | undefined;
  #current: ConfigList | undefined;
  #bad: BadConfig[] = [];

  constructor(path: string) {
    this.path = path;
  }

  /** The list that serves, as of the last `refresh`. */
  get current(): ConfigList | undefined {
    return this.#current;
  }

  get bad(): readonly BadConfig[] {
    return this.#bad;
  }

  /**
   * Reads the directory again if its listing or one of its files changed. True when it did. A missing
   * directory is empty; one that cannot be read stays as it was and is named in `bad`.
   */
  async refresh(): Promise<boolean> {
    let names: string[];
    try {
      names = (await readdir(this.path)).filter((name) => ENDINGS.test(name)).sort();
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) {
        this.#bad = [{ file: this.path, reason: messageOf(error) }];
        return false;
      }
      names = [];
    }
    const marks = await Promise.all(names.map((name) => markOf(join(this.path, name))));
    const fingerprint = JSON.stringify(names.map((name, index) => [name, marks[index]]));
    if (fingerprint === this.#fingerprint) return false;
    const bad: BadConfig[] = [];
    let current: ConfigList | undefined;
    for (const name of names) {
      try {
        current = parseConfigList(await readFile(join(this.path, name), 'utf8'), name);
        break;
      } catch (error) {
        bad.push({ file: name, reason: messageOf(error) });
      }
    }
    this.#current = current;
    this.#bad = bad;
    this.#fingerprint = fingerprint;
    return true;
  }
}

async function markOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    // A file that leaves between listing and stat, or a dangling link, reads as bad in the next step.
    return messageOf(error);
  }
}
