import { program } from '../../cri/main.ts';
import { commandTree, type CommandNode } from '../../deploy/dist/command-tree.ts';
import { lineOf, type Rule } from './source-tree.ts';

/** What `--help` is printed from. */
const TREE = commandTree(program);

/** Command lines that a document shows: in code spans, and as lines of blocks, by whatever path or as root. */
const SHOWN = /(?:`|^[ \t]*)(?:[$#] |sudo )?(?:[\w./-]*\/)?berth (?! )([^`\n]+)/gm;

/** Where the shell has the word again: a comment, a pipe, the next command, a redirection. */
const ITS_END = /\s(?:#|\||;|&|>|2>).*$/;

/** `berth …` of the documents, held against the definitions: commands and options that are not there. */
export const commandLines: Rule = {
  name: 'docs: command lines of berth have commands and options that it has',
  check(tree) {
    return tree
      .paths()
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) => {
        const text = tree.text(path);
        return [...text.matchAll(SHOWN)].flatMap((match) => {
          const mistake = mistakeIn(match[1]!.replace(ITS_END, '').trim());
          if (mistake === undefined) return [];
          return [{ path, line: lineOf(text, match.index + match[0].search(/\S/)), message: mistake }];
        });
      });
  },
};

/** What is wrong with the words behind `berth`; several commands may stand for one: `install|upgrade`. */
function mistakeIn(line: string): string | undefined {
  let nodes: CommandNode[] = [TREE];
  for (const word of line.split(/\s+/)) {
    const node = nodes[0]!;
    if (word.startsWith('-')) {
      const name = word.replace(/=.*$/, '');
      if (nodes.every(({ options }) => options.every(({ long, short }) => long !== name && short !== name)))
        return `${node.path.join(' ')} has no option ${name}`;
    } else if (node.commands.length > 0 && word !== '…') {
      const names = word.split('|');
      const unknown = names.find((name) => !node.commands.some(({ path }) => path.at(-1) === name));
      if (unknown !== undefined) return `${node.path.join(' ')} has no command ${unknown}`;
      nodes = node.commands.filter(({ path }) => names.includes(path.at(-1)!));
    }
  }
  return undefined;
}
