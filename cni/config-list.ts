import { Fault } from '../ground/fault.ts';
import { isJsonObject, type JsonObject } from '../ground/json.ts';

export { isJsonObject, type JsonObject };

/** The versions of the CNI specification that this room speaks, the oldest first. */
export const CNI_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof CNI_VERSIONS)[number];

/** A network configuration list (CNI specification, section 1): plugins that one after the other make a network. */
export interface ConfigList {
  name: string;
  cniVersion: CniVersion;
  /** CHECK must not be called. */
  disableCheck: boolean;
  /** GC must not be called. */
  disableGC: boolean;
  /** The plugins' objects as they were written. Each has a `type`. */
  plugins: (JsonObject & { type: string })[];
}

/** Whether `version` is `least` or newer. */
export function versionAtLeast(version: CniVersion, least: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(least);
}

/** A file with one plugin of a list, which stands in a directory beside the list. */
export interface PluginFile {
  file: string;
  text: string;
}

/**
 * The network whose further plugins may stand in a directory of its name beside the list; undefined when the list takes
 * none: it says `loadOnlyInlinedPlugins`, or is a lone plugin. Throws Fault `invalid` as `parseConfigList` does.
 */
export function networkWithPluginFiles(text: string, file: string): string | undefined {
  const parsed = objectIn(text, file);
  const lone = parsed['plugins'] === undefined && parsed['type'] !== undefined;
  return lone || isTrue(parsed['loadOnlyInlinedPlugins']) ? undefined : nameOf(parsed, file);
}

/**
 * Reads the text of a `.conflist` file, or of a `.conf` file that holds a single plugin: that becomes a list of one.
 * `more`: plugins that follow those of the list. `file` names it in errors. Throws Fault `invalid`.
 */
export function parseConfigList(text: string, file: string, more: readonly PluginFile[] = []): ConfigList {
  const refuse = (what: string): never => refuseFile(file, what);
  const parsed = objectIn(text, file);
  const { plugins } = parsed;
  const name = nameOf(parsed, file);
  const cniVersion = bestVersion(parsed);
  if (cniVersion === undefined)
    return refuse(
      `cniVersion ${JSON.stringify(parsed['cniVersion']) ?? '(none)'} is none of ${CNI_VERSIONS.join(', ')}`,
    );
  if (plugins !== undefined && !Array.isArray(plugins)) return refuse('plugins is no list');
  // A lone plugin says its name and version itself, and type instead of plugins.
  const inlined: unknown[] = plugins ?? (parsed['type'] === undefined ? [] : [parsed]);
  const members = [...inlined, ...more.map((one) => objectIn(one.text, one.file))];
  if (members.length === 0) return refuse('It lists no plugins');
  return {
    name,
    cniVersion,
    disableCheck: isTrue(parsed['disableCheck']),
    disableGC: isTrue(parsed['disableGC']),
    plugins: members.map((plugin, index) => {
      const type = isJsonObject(plugin) ? plugin['type'] : undefined;
      // The type is looked up as a file name in the plugin directories: it must not lead out of them.
      if (
        !isJsonObject(plugin) ||
        typeof type !== 'string' ||
        !/^[^/\0]+$/.test(type) ||
        /^\.\.?$/.test(type)
      )
        return refuse(`plugin ${index} has no usable type: ${JSON.stringify(type) ?? '(none)'}`);
      return { ...plugin, type };
    }),
  };
}

function refuseFile(file: string, what: string, cause?: unknown): never {
  throw new Fault('invalid', what, { subject: `CNI configuration ${file}`, cause });
}

function objectIn(text: string, file: string): JsonObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    return refuseFile(file, 'Not JSON', cause);
  }
  return isJsonObject(parsed) ? parsed : refuseFile(file, 'Not a JSON object');
}

function nameOf({ name }: JsonObject, file: string): string {
  if (typeof name === 'string' && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) return name;
  return refuseFile(file, `${JSON.stringify(name) ?? 'nothing'} is no network name`);
}

/** `cniVersions` (1.1.0) may offer more than `cniVersion`: the newest that we speak. */
function bestVersion(list: JsonObject): CniVersion | undefined {
  const more: unknown[] = Array.isArray(list['cniVersions']) ? list['cniVersions'] : [];
  return CNI_VERSIONS.findLast((version) => version === list['cniVersion'] || more.includes(version));
}

/** The specification allows the text "true" as well. */
function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}
