import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../../cri/main.ts';
import { allCommands, commandTree } from './command-tree.ts';
import { bashCompletion, fishCompletion, zshCompletion } from './completions.ts';
import { manPage } from './man-page.ts';

const TREE = commandTree(program);

describe('what is made from the definitions of the command line', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-completion-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  function completeInBash(...words: string[]): string[] {
    const file = join(directory, 'berth');
    writeFileSync(file, bashCompletion(TREE));
    const script = `. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _berth; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync('bash', ['-c', script, file, ...words], { encoding: 'utf8', cwd: directory });
    return output.split('\n').filter((line) => line !== '');
  }

  it('bash completes commands, options, values that have a list, and files', () => {
    assert.deepEqual(completeInBash('berth', 'st'), ['status']);
    assert.deepEqual(completeInBash('berth', 'image', 'l'), ['load', 'list']);
    assert.deepEqual(completeInBash('berth', 'serve', '--log'), ['--log-format']);
    assert.deepEqual(completeInBash('berth', 'image', 'save', '--format', ''), ['oci', 'docker']);
    assert.deepEqual(completeInBash('berth', 'image', 'save', '--compress', 'z'), ['zstd']);
    writeFileSync(join(directory, 'layout.tar'), '');
    assert.deepEqual(completeInBash('berth', 'image', 'load', 'lay'), ['layout.tar']);
  });

  it('every command and option stands in each of them', () => {
    const [bash, zsh, fish] = [bashCompletion(TREE), zshCompletion(TREE), fishCompletion(TREE)];
    const manual = manPage(TREE, '1.2.3', '2026-01-31');
    assert.ok(allCommands(TREE).length > 15, 'the definitions were read');
    for (const { path, options, commands } of allCommands(TREE)) {
      const name = path.at(-1)!;
      for (const text of [bash, zsh, fish]) assert.ok(text.includes(name), name);
      if (commands.length === 0)
        assert.ok(manual.includes(`.SS "${path.join(' ').replaceAll('-', '\\-')}"`), name);
      for (const { long } of options) {
        assert.ok(bash.includes(long) && zsh.includes(long), long);
        assert.ok(fish.includes(`-l ${long.slice(2)}`), long);
        if (!['--help', '--version'].includes(long))
          assert.ok(manual.includes(long.replaceAll('-', '\\-')), long);
      }
    }
  });

  it('the manual page has what a reader of man pages looks for, and nothing that roff takes for a command', () => {
    const lines = manPage(TREE, '1.2.3', '2026-01-31').split('\n');
    assert.equal(lines[0], '.TH BERTH 8 "2026-01-31" "Berth 1.2.3" "System Administration"');
    for (const section of ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'COMMANDS', 'FILES', 'SEE ALSO'])
      assert.ok(lines.includes(`.SH ${section}`), section);
    const macros = lines.filter((line) => /^['.]/.test(line)).map((line) => line.split(' ')[0]!);
    assert.deepEqual(
      [...new Set(macros)].toSorted((one, other) => (one < other ? -1 : 1)),
      ['.P', '.SH', '.SS', '.TH', '.TP'],
    );
  });
});
