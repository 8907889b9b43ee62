import { BuiltInPlugins } from './built-in-plugins.ts';
import { CNI_VERSIONS, isJsonObject, type JsonObject } from './config-list.ts';
import { callPlugin } from './plugin-call.ts';
import { CNI_ERROR, PluginError } from './plugin-error.ts';
import type { Plugin } from './plugin.ts';
import type { PluginCaller, Verb } from './plugin-runner.ts';

const VERBS: readonly string[] = ['ADD', 'DEL', 'CHECK', 'VERSION', 'STATUS', 'GC'] satisfies Verb[];

/** What an executable prints on stdout, and its exit status. */
export interface ExecutableOutcome {
  stdout: string;
  code: 0 | 1;
}

/**
 * A plugin as an executable (CNI specification 1.1, section 2): one call, by the environment and the text on stdin.
 * It delegates to other functions among `plugins`, and to executables by `external`. Never rejects: an error is
 * printed as the specification has it.
 */
export async function runExecutable(
  type: string,
  plugins: readonly Plugin[],
  external: PluginCaller,
  env: Record<string, string | undefined>,
  stdin: string,
): Promise<ExecutableOutcome> {
  let version: unknown;
  try {
    const verb = env['CNI_COMMAND'] ?? '';
    const refuse = (code: number, what: string): never => {
      throw new PluginError(type, code, what);
    };
    if (!VERBS.includes(verb))
      refuse(
        CNI_ERROR.invalidEnvironment,
        `CNI_COMMAND ${JSON.stringify(verb)} is none of ${VERBS.join(', ')}`,
      );
    const plugin =
      plugins.find((each) => each.type === type) ?? refuse(CNI_ERROR.failed, `${type} is no plugin of Berth`);
    const config = configOf(stdin) ?? refuse(CNI_ERROR.decoding, 'stdin holds no JSON object');
    version = config['cniVersion'];
    const given = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const cni = Object.fromEntries(
      given.filter(([name]) => name.startsWith('CNI_') && name !== 'CNI_COMMAND'),
    );
    const callers = new BuiltInPlugins(plugins, external);
    const printed = await callPlugin(
      plugin,
      { verb: verb as Verb, env: cni, config },
      async (next, other, signal) =>
        await callers.call({ verb: next, type: other, config, env: cni }, signal),
    );
    if (verb === 'ADD') await plugin.settle?.(env['CNI_CONTAINERID'] ?? '');
    return { stdout: printed === undefined ? '' : `${JSON.stringify(printed)}\n`, code: 0 };
  } catch (error) {
    const known =
      error instanceof PluginError ? error : new PluginError(type, CNI_ERROR.failed, String(error));
    const cniVersion = typeof version === 'string' ? version : CNI_VERSIONS.at(-1);
    const { code, msg, details } = known;
    return {
      stdout: `${JSON.stringify({ cniVersion, code, msg, ...(details !== '' && { details }) })}\n`,
      code: 1,
    };
  }
}

function configOf(text: string): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined; // said by the caller
  }
}
