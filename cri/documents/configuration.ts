import { DEFAULT_HANDLERS, HANDLER_KEYS, SECTIONS, type Section } from '../config/schema.ts';
import { code, markdownTable, sentence } from './markdown.ts';

const HEAD = `# Configuration

Generated from the schema (\`npm run documents\`); do not change it by hand.

\`berth serve\` reads \`/etc/berth/berth.toml\`, or the file that \`--config\` names, and then the drop-ins
\`<file>.d/*.toml\` in the order of their names. A later file wins, key by key. Without any file the defaults are in
force: no key has to be set. An unknown key is an error that names the nearest known one, and so is a value that cannot
be; the daemon then ends with code 78 and says all mistakes at once.

| command | what it does |
|---|---|
| \`berth config default\` | prints every key with its default and its meaning, as a file that can be used |
| \`berth config show\` | prints what is in force, and the files that it came from |
| \`berth config check\` | reads the files and says what is wrong, without a daemon |

SIGHUP (\`systemctl reload berth\`) reads the files again. Keys marked *live* change at once; the log names those that
wait for the next start. A restart ends no pod. A file with mistakes changes nothing.
`;

/** docs/configuration.md: every key of the schema, by section. */
export function configurationDocument(): string {
  const sections = Object.entries(SECTIONS).map(([name, keys]) => {
    const title = name === '' ? 'Top of the file' : `[${name}]`;
    return `\n## ${title}\n\n${keyTable(keys)}${name === 'runtime' ? handlers() : ''}`;
  });
  return HEAD + sections.join('');
}

function handlers(): string {
  const built = Object.entries(DEFAULT_HANDLERS).map(
    ([name, { path }]) => `${code(name)} (path ${code(path)})`,
  );
  return `\n### [runtime.handlers.NAME]

A runtime handler by its name, which pods choose through a RuntimeClass. There are ${built.join(' and ')} by default;
naming one of them changes its keys, another name adds a handler.

${keyTable(HANDLER_KEYS)}`;
}

function keyTable(keys: Section): string {
  const rows = Object.entries(keys).map(([name, key]) => [
    `\`${name}\``,
    code(JSON.stringify(key.default)),
    key.expected + (key.live === true ? ', *live*' : ''),
    // The words are in the column before.
    sentence(key.comment.replace(`: ${key.expected.replace('one of ', '')}`, '')),
  ]);
  return markdownTable(['key', 'default', 'value', 'meaning'], rows);
}
