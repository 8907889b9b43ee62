import { HANDLER_KEYS, SECTIONS, type Config, type Section } from './schema.ts';

/** The configuration as a TOML file, each key with its comment. What it prints, `loadConfig` reads back. */
export function printConfig(config: Config): string {
  const blocks = Object.entries(SECTIONS).map(([name, section]) => {
    const values = name === '' ? config : config[name as 'cri'];
    const head = name === '' ? '' : `[${name}]\n`;
    return head + keys(section, values);
  });
  const at = Object.keys(SECTIONS).indexOf('runtime');
  const handlers = Object.entries(config.runtime.handlers).map(
    ([name, handler]) => `[runtime.handlers.${name}]\n${keys(HANDLER_KEYS, handler)}`,
  );
  return blocks.toSpliced(at + 1, 0, ...handlers).join('\n');
}

function keys(section: Section, values: object): string {
  const lines = Object.entries(section).map(([name, { comment, live }]) => {
    const value = (values as Record<string, unknown>)[name];
    const reload = live === true ? ' (a reload takes a new value)' : ' (a new value waits for a restart)';
    return `# ${comment}${reload}\n${name} = ${JSON.stringify(value)}\n`;
  });
  return lines.join('');
}
