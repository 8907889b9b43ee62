import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { messageOf } from '../../ground/fault.ts';
import { ConfigMistake } from './mistake.ts';
import { nearest } from './nearest.ts';
import { overlayConfig } from './overlay.ts';
import { podSettings } from './pod-settings.ts';
import {
  defaultConfig,
  HANDLER_KEYS,
  SECTIONS,
  type Config,
  type HandlerConfig,
  type Section,
} from './schema.ts';

export const DEFAULT_FILE = '/etc/berth/berth.toml';

/** A configuration, and the files that it was read from, in order. */
export interface LoadedConfig {
  config: Config;
  files: string[];
}

type Table = Record<string, unknown>;

/**
 * Reads `file` and the drop-ins `<file>.d/*.toml` in the order of their names; a later file wins key by key. Without
 * `file`, the default one is read, which need not be there. Throws Fault `invalid` that names every mistake with its
 * file and key, and for an unknown key the nearest one.
 */
export function loadConfig(file?: string): LoadedConfig {
  const main = file ?? DEFAULT_FILE;
  const config = defaultConfig();
  const mistakes: string[] = [];
  const files: string[] = [];
  for (const [path, optional] of [[main, file === undefined] as const, ...dropIns(main)]) {
    const table = readToml(path, optional);
    if (table === undefined) continue;
    files.push(path);
    mistakes.push(...apply(config, table).map((mistake) => `${path}: ${mistake}`));
  }
  if (mistakes.length > 0) {
    throw new ConfigMistake(`The configuration has mistakes:\n  ${mistakes.join('\n  ')}`, {
      hint: 'berth config default prints every key',
    });
  }
  return { config, files };
}

/**
 * The same, with a look at what the keys say together. Throws Fault `invalid` as well when they do not fit.
 */
export function checkedConfig(file?: string): LoadedConfig {
  const loaded = loadConfig(file);
  podSettings(loaded.config);
  overlayConfig(loaded.config);
  return loaded;
}

function dropIns(main: string): [path: string, optional: boolean][] {
  const directory = `${main}.d`;
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unreadable(directory, error);
  }
  return names
    .filter((name) => name.endsWith('.toml'))
    .sort()
    .map((name) => [join(directory, name), false]);
}

function readToml(path: string, optional: boolean): Table | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (optional && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.replace(/^Invalid TOML document: /, '').trimEnd();
    throw new ConfigMistake(`${path}:${error.line}:${error.column}: this is not TOML: ${what}`);
  }
}

function unreadable(path: string, error: unknown): ConfigMistake {
  return new ConfigMistake(`The configuration ${path} cannot be read: ${messageOf(error)}`);
}

/** Writes what a file says over `config`. Returns its mistakes. */
function apply(config: Config, table: Table): string[] {
  const top: Table = {};
  const mistakes: string[] = [];
  for (const [name, value] of Object.entries(table)) {
    const section = name === '' ? undefined : SECTIONS[name];
    if (section === undefined) top[name] = value;
    else if (!isTable(value)) mistakes.push(`${name} has to be a table, it is ${kindOf(value)}`);
    else if (name === 'runtime') mistakes.push(...applyRuntime(config.runtime, value));
    else mistakes.push(...applyKeys(section, config[name as 'cri'], value, `${name}.`));
  }
  const sections = Object.keys(SECTIONS).filter((name) => name !== '');
  return [...mistakes, ...applyKeys(SECTIONS['']!, config, top, '', sections)];
}

function applyRuntime(runtime: Config['runtime'], { handlers, ...keys }: Table): string[] {
  const mistakes = applyKeys(SECTIONS['runtime']!, runtime, keys, 'runtime.', ['handlers']);
  if (handlers === undefined) return mistakes;
  if (!isTable(handlers))
    return [...mistakes, `runtime.handlers has to be a table, it is ${kindOf(handlers)}`];
  for (const [name, value] of Object.entries(handlers)) {
    const at = `runtime.handlers.${name}`;
    if (!/^[a-z0-9]([-.a-z0-9]{0,62}[a-z0-9])?$/.test(name))
      mistakes.push(`${at}: the name of a handler consists of small letters, digits, - and .`);
    else if (!isTable(value)) mistakes.push(`${at} has to be a table, it is ${kindOf(value)}`);
    else {
      const handler: HandlerConfig = runtime.handlers[name] ?? {
        path: '',
        sandbox: 'inprocess',
        exec: 'auto',
      };
      mistakes.push(...applyKeys(HANDLER_KEYS, handler, value, `${at}.`));
      if (handler.path === '') mistakes.push(`${at}.path is missing: it names the OCI runtime`);
      runtime.handlers[name] = handler;
    }
  }
  return mistakes;
}

function applyKeys(
  section: Section,
  target: object,
  table: Table,
  prefix: string,
  others: string[] = [],
): string[] {
  return Object.entries(table).flatMap(([name, value]) => {
    const key = section[name];
    const path = `${prefix}${name}`;
    if (key === undefined) {
      const near = nearest(name, [...Object.keys(section), ...others]);
      return [`there is no key ${path}${near === undefined ? '' : `, did you mean ${prefix}${near}?`}`];
    }
    if (!key.is(value)) return [`${path} has to be ${key.expected}, it is ${kindOf(value)}`];
    const wrong = key.wrong?.(value);
    if (wrong !== undefined) return [`${path} is ${JSON.stringify(value)}: ${wrong}`];
    (target as Table)[name] = value;
    return [];
  });
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** What was found, in the words of an error. */
function kindOf(value: unknown): string {
  if (typeof value === 'string') return `the text ${JSON.stringify(value)}`;
  if (typeof value === 'number' || typeof value === 'bigint') return `the number ${value}`;
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value))
    return `a list${value.some((one) => typeof one !== 'string') ? ' of other things' : ''}`;
  return value instanceof Date ? 'a date' : 'a table';
}
