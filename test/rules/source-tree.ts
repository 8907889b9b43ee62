import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

/** What a rule found: the file, the line (1-based; 0 for the whole file) and a sentence. */
export interface Violation {
  path: string;
  line: number;
  message: string;
}

/** One rule of the house: a name for the gate's output and a check of the whole tree. */
export interface Rule {
  name: string;
  check(tree: SourceTree): Violation[];
}

/** The repository's text files by path: from the disk, or made up by a test. */
export class SourceTree {
  readonly #files: Map<string, string>;

  constructor(files: Iterable<[string, string]>) {
    this.#files = new Map(files);
  }

  /** A made-up tree. */
  static of(files: Record<string, string>): SourceTree {
    return new SourceTree(Object.entries(files));
  }

  /**
   * All text files below `root`, without what `.gitignore` names, without `.git` and without files above 2 MB. A
   * line of `.gitignore` is understood as a name, with `*` for any characters and without a path.
   */
  static fromDisk(root: string): SourceTree {
    const ignored = [
      '.git',
      ...readFileSync(join(root, '.gitignore'), 'utf8').split('\n').filter(Boolean),
    ].map((line) => new RegExp(`^${line.replace(/\/$/, '').replace(/\./g, '\\.').replace(/\*/g, '.*')}$`));
    const files: [string, string][] = [];
    const visit = (directory: string): void => {
      for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
        if (ignored.some((pattern) => pattern.test(entry.name))) continue;
        const path = posix.join(directory, entry.name);
        if (entry.isDirectory()) visit(path);
        if (!entry.isFile() || statSync(join(root, path)).size > 2 << 20) continue;
        const bytes = readFileSync(join(root, path));
        if (!bytes.includes(0)) files.push([path, bytes.toString('utf8')]);
      }
    };
    visit('');
    return new SourceTree(files);
  }

  paths(): string[] {
    return [...this.#files.keys()].sort();
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  /** Whether a file or a directory of that path exists. */
  hasEntry(path: string): boolean {
    const directory = path.endsWith('/') ? path : `${path}/`;
    return this.#files.has(path) || this.paths().some((file) => file.startsWith(directory));
  }

  /** The file's text. Throws when there is no such file. */
  text(path: string): string {
    const text = this.#files.get(path);
    if (text === undefined) throw new Error(`No such file in the tree: ${path}`);
    return text;
  }
}

/** The line (1-based) on which `offset` of `text` stands. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
