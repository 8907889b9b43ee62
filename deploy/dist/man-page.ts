import { allCommands, type CommandNode } from './command-tree.ts';

/** The manual page berth(8) in the language of man(7). `date` is shown at its foot (`2026-01-31`). */
export function manPage(program: CommandNode, version: string, date: string): string {
  const commands = allCommands(program).filter(({ commands }) => commands.length === 0);
  const lines = [
    `.TH BERTH 8 "${date}" "Berth ${version}" "System Administration"`,
    '.SH NAME',
    `berth \\- ${text(program.description)}`,
    '.SH SYNOPSIS',
    ...commands.flatMap((command) => ['.P', synopsis(command)]),
    '.SH DESCRIPTION',
    'Berth runs the pods of one Linux node. A kubelet, or \\fBcrictl\\fR(8), calls it over the Container Runtime',
    'Interface (CRI v1) on a unix socket; it makes pods with the kernel, an OCI runtime, a monitor and a network.',
    '.SH COMMANDS',
    ...commands.flatMap(commandLines),
    '.SH FILES',
    ...file('/etc/berth/berth.toml', 'the configuration; \\fBberth config default\\fR prints every key'),
    ...file('/etc/berth/berth.toml.d/*.toml', 'drop-ins, read in the order of their names'),
    ...file('/run/berth/berth.sock', 'the socket, unless the configuration says otherwise'),
    ...file('/var/lib/berth', 'images, containers and records'),
    '.SH SEE ALSO',
    '\\fBcrun\\fR(1), \\fBrunc\\fR(8), \\fBconmon\\fR(8), \\fBsystemd\\fR(1)',
  ];
  return `${lines.join('\n')}\n`;
}

function synopsis({ path, options, arguments: given }: CommandNode): string {
  const flags = options
    .filter(({ long }) => long !== '--help')
    .map(({ long, value }) => `[\\fB${text(long)}\\fR${value === '' ? '' : ` ${italic(value)}`}]`);
  const names = given.map(({ name, required, variadic }) => {
    const shown = `\\fI${text(name)}\\fR${variadic ? ' ...' : ''}`;
    return required ? shown : `[${shown}]`;
  });
  return [`\\fB${text(path.join(' '))}\\fR`, ...flags, ...names].join(' ');
}

function commandLines(command: CommandNode): string[] {
  return [
    `.SS "${text(command.path.join(' '))}"`,
    sentence(command.description),
    ...command.arguments
      .filter(({ description }) => description !== '')
      .flatMap(({ name, description }) => ['.TP', `\\fI${text(name)}\\fR`, sentence(description)]),
    ...command.options
      .filter(({ long }) => long !== '--help')
      .flatMap(({ short, long, value, description, choices }) => [
        '.TP',
        [short, long]
          .filter((name) => name !== '')
          .map((name) => `\\fB${text(name)}\\fR`)
          .join(', ') + (value === '' ? '' : ` ${italic(value)}`),
        sentence(choices.length === 0 ? description : `${description} (${choices.join(', ')})`),
      ]),
  ];
}

function file(path: string, meaning: string): string[] {
  return ['.TP', `\\fI${text(path)}\\fR`, meaning];
}

function italic(value: string): string {
  return `\\fI${text(value.replace(/[<>]/g, ''))}\\fR`;
}

function sentence(words: string): string {
  const shown = text(words);
  return `${shown.charAt(0).toUpperCase()}${shown.slice(1)}.`;
}

/** A backslash, and a dot or quote at the beginning of a line, would be commands; hyphens would be typeset. */
function text(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}
