import { isDeepStrictEqual } from 'node:util';
import { SECTIONS, type Config } from './schema.ts';

/** What a new configuration changes: keys that a running daemon takes, and keys that wait for its next start. */
export interface ConfigChange {
  live: string[];
  restart: string[];
}

/** Compares the configuration in force with a new one. */
export function compareConfigs(before: Config, after: Config): ConfigChange {
  const change: ConfigChange = { live: [], restart: [] };
  for (const [section, keys] of Object.entries(SECTIONS)) {
    for (const [name, key] of Object.entries(keys)) {
      const path = section === '' ? name : `${section}.${name}`;
      if (isDeepStrictEqual(valueAt(before, section, name), valueAt(after, section, name))) continue;
      change[key.live === true ? 'live' : 'restart'].push(path);
    }
  }
  if (!isDeepStrictEqual(before.runtime.handlers, after.runtime.handlers))
    change.restart.push('runtime.handlers');
  return change;
}

function valueAt(config: Config, section: string, name: string): unknown {
  const table = section === '' ? config : config[section as 'cri'];
  return (table as unknown as Record<string, unknown>)[name];
}
