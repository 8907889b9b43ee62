import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../ground/fault.ts';
import { isErrno } from '../native/errno.ts';
import { type ConfigList, networkWithPluginFiles, parseConfigList } from './config-list.ts';

/** A file that was passed over, and why. */
export interface BadConfig {
  file: string;
  reason: string;
}

const ENDINGS = /\.(conflist|conf|json)$/;

/**
 * The directory of CNI configurations. The first file by name that is sound gives the network; files before it that
 * are not are named in `bad`. Further plugins of a list may stand in `<network name>/*.conf` (CNI specification 1.1,
 * `loadOnlyInlinedPlugins`). `refresh` looks for changes: file notifications are lost on some filesystems, and a
 * node has few of them to give.
 */
export class ConfigDirectory {
  path: string;
  #fingerprint: string | undefined;
  #current: ConfigList | undefined;
  #bad: BadConfig[] = [];
  /** The current list's network, when more of its plugins may stand in a directory of that name. */
  #pluginsIn: string | undefined;

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
    const fingerprint = JSON.stringify(await this.#marks([...names, ...(await this.#pluginFiles())]));
    if (fingerprint === this.#fingerprint) return false;
    const bad: BadConfig[] = [];
    let current: ConfigList | undefined;
    for (const name of names) {
      try {
        current = await this.#load(name);
        break;
      } catch (error) {
        bad.push({ file: name, reason: messageOf(error) });
      }
    }
    this.#current = current;
    this.#bad = bad;
    // Which files belong to the list is known now only.
    const pluginFiles = await this.#pluginFiles();
    this.#fingerprint =
      pluginFiles.length === 0 ? fingerprint : JSON.stringify(await this.#marks([...names, ...pluginFiles]));
    return true;
  }

  async #load(name: string): Promise<ConfigList> {
    const text = await readFile(join(this.path, name), 'utf8');
    this.#pluginsIn = networkWithPluginFiles(text, name);
    const more = await Promise.all(
      (await this.#pluginFiles()).map(async (file) => ({
        file,
        text: await readFile(join(this.path, file), 'utf8'),
      })),
    );
    return parseConfigList(text, name, more);
  }

  /** The files with further plugins of the current list, from this directory on. */
  async #pluginFiles(): Promise<string[]> {
    const network = this.#pluginsIn;
    if (network === undefined) return [];
    try {
      const names = await readdir(join(this.path, network));
      return names
        .filter((name) => name.endsWith('.conf'))
        .sort()
        .map((name) => join(network, name));
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }
  }

  async #marks(files: string[]): Promise<[file: string, mark: string][]> {
    return await Promise.all(
      files.map(async (file): Promise<[string, string]> => [file, await markOf(join(this.path, file))]),
    );
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
