import { allCommands, type CommandNode, type OptionNode } from './command-tree.ts';

/** Completion for bash: words of commands, options, values of options that have a list; else files. */
export function bashCompletion(program: CommandNode): string {
  const cases = allCommands(program).map(({ path, commands, options }) => {
    const words = [...commands.map(({ path }) => path.at(-1)!), ...options.flatMap(flagsOf)];
    return `    '${path.join(' ')}') words='${words.join(' ')}' ;;`;
  });
  const known = allCommands(program).map(({ path }) => `'${path.join(' ')}'`);
  const values = withChoices(program).map(
    ({ path, option }) =>
      `    '${path.join(' ')} ${option.long}') COMPREPLY=($(compgen -W '${option.choices.join(' ')}' -- "$current")); return ;;`,
  );
  return `# bash completion for berth; made from its own definitions of commands.
_berth() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=berth words= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command $word" in
    ${known.join(' | ')}) command="$command $word" ;;
    esac
  done
  case "$command $previous" in
${values.join('\n')}
  esac
  case $command in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _berth berth
`;
}

/** Completion for zsh, with what each word means. */
export function zshCompletion(program: CommandNode): string {
  const functions = allCommands(program).map((node) => {
    const name = `_${node.path.join('_').replaceAll('-', '_')}`;
    const options = node.options.flatMap(zshOptions);
    if (node.commands.length === 0) {
      const rest = node.arguments.length === 0 ? [] : [`'*:${quoted(node.arguments[0]!.name)}:_files'`];
      return `${name}() {\n  _arguments ${[...options, ...rest].join(' \\\n    ')}\n}`;
    }
    const words = node.commands.map(
      ({ path, description }) => `'${path.at(-1)}:${quoted(description).replaceAll(':', '\\:')}'`,
    );
    const branches = node.commands.map(
      ({ path }) => `    ${path.at(-1)}) _${path.join('_').replaceAll('-', '_')} ;;`,
    );
    return `${name}() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C ${[...options, "'1: :->command'", "'*:: :->rest'"].join(' \\\n    ')}
  case $state in
  command) local -a commands=(${words.join(' ')}); _describe command commands ;;
  rest)
    case $line[1] in
${branches.join('\n')}
    esac ;;
  esac
}`;
  });
  return `#compdef berth\n# Made from berth's own definitions of commands.\n${functions.join('\n')}\n_berth "$@"\n`;
}

/** Completion for fish, with what each word means. */
export function fishCompletion(program: CommandNode): string {
  const lines = allCommands(program).flatMap((node) => {
    const path = node.path.slice(1);
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    const below = node.commands.map(({ path }) => path.at(-1)!);
    const notYet = below.length === 0 ? [] : [`not __fish_seen_subcommand_from ${below.join(' ')}`];
    const where = [...seen, ...notYet].join('; and ');
    const condition = where === '' ? '' : ` -n '${where}'`;
    return [
      ...node.commands.map(
        ({ path, description }) =>
          `complete -c berth -f${condition} -a ${path.at(-1)} -d '${quoted(description)}'`,
      ),
      ...node.options.map(({ short, long, value, description, choices }) => {
        const flags = `${short === '' ? '' : ` -s ${short.slice(1)}`} -l ${long.slice(2)}`;
        const takes = value === '' ? '' : choices.length > 0 ? ` -x -a '${choices.join(' ')}'` : ' -r';
        return `complete -c berth${condition}${flags}${takes} -d '${quoted(description)}'`;
      }),
    ];
  });
  return `# fish completion for berth; made from its own definitions of commands.\n${lines.join('\n')}\n`;
}

function withChoices(program: CommandNode): { path: string[]; option: OptionNode }[] {
  return allCommands(program).flatMap(({ path, options }) =>
    options.filter(({ choices }) => choices.length > 0).map((option) => ({ path, option })),
  );
}

function flagsOf({ short, long }: OptionNode): string[] {
  return [short, long].filter((flag) => flag !== '');
}

function zshOptions(option: OptionNode): string[] {
  const meaning = quoted(option.description)
    .replaceAll('[', '\\[')
    .replaceAll(']', '\\]')
    .replaceAll(':', '\\:');
  const values = option.choices.length > 0 ? `(${option.choices.join(' ')})` : '_files';
  const takes = option.value === '' ? '' : `:${option.long.slice(2)}:${values}`;
  return flagsOf(option).map((flag) => `'${flag}[${meaning}]${takes}'`);
}

/** For a word between single quotes, in all three shells: none of them is needed there. */
function quoted(text: string): string {
  return text.replaceAll("'", '’').replaceAll('\n', ' ');
}
