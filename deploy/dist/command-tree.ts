import type { Argument, Command, Option } from 'commander';

/** A command as completions and the manual page need it. */
export interface CommandNode {
  /** From the program's name down: `['berth', 'image', 'load']`. */
  path: string[];
  description: string;
  options: OptionNode[];
  arguments: { name: string; description: string; required: boolean; variadic: boolean }[];
  commands: CommandNode[];
}

export interface OptionNode {
  /** `-c`, or empty. */
  short: string;
  /** `--config` */
  long: string;
  /** `<file>`, or empty when it takes none. */
  value: string;
  description: string;
  /** The only values that it takes; empty for any. */
  choices: string[];
}

/** Reads the definitions that also `--help` is printed from, with the help that commander adds itself. */
export function commandTree(command: Command, above: string[] = []): CommandNode {
  const path = [...above, command.name()];
  const help = command.createHelp();
  return {
    path,
    description: command.description(),
    options: help.visibleOptions(command).map(optionNode),
    arguments: command.registeredArguments.map((argument: Argument) => ({
      name: argument.name(),
      description: argument.description,
      required: argument.required,
      variadic: argument.variadic,
    })),
    commands: help
      .visibleCommands(command)
      .filter((child) => child.name() !== 'help')
      .map((child) => commandTree(child, path)),
  };
}

function optionNode(option: Option): OptionNode {
  return {
    short: option.short ?? '',
    long: option.long ?? '',
    value: /[<[].*$/.exec(option.flags)?.[0] ?? '',
    description: option.description,
    choices: option.argChoices ?? [],
  };
}

/** The command and all below it, in the order of the help. */
export function allCommands(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(allCommands)];
}
