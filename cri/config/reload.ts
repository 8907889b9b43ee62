import { isDeepStrictEqual } from 'node:util';
import { SECTIONS, type Config } from './schema.ts';

/** How the daemon stands with its configuration files. */
export interface ConfigurationState {
  files: string[];
  /** When they were read last with success. */
  readAt: string;
  /** Keys whose new value waits for a restart of the daemon. */
  needRestart: string[];
  /** Why the files could not be taken when they were read last; empty when they could. */
  trouble: string;
}

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

/** Writes what `compareConfigs` calls live from a new configuration into the one in force. */
export function takeLive(inForce: Config, after: Config, keys: string[]): void {
  for (const path of keys) {
    const [name, section = ''] = path.split('.').reverse() as [string, string?];
    const table = section === '' ? inForce : inForce[section as 'cri'];
    (table as unknown as Record<string, unknown>)[name] = valueAt(after, section, name);
  }
}

function valueAt(config: Config, section: string, name: string): unknown {
  const table = section === '' ? config : config[section as 'cri'];
  return (table as unknown as Record<string, unknown>)[name];
}
