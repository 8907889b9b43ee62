import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

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
   * All files of the repository at `root` that git tracks or would track (ignored ones are left out), without those
   * above 2 MB and binary ones. Without git (a release archive) `.gitignore` is unknown: throws.
   */
  static fromDisk(root: string): SourceTree {
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    const paths = listed.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
    const files: [string, string][] = [];
    for (const path of paths) {
      const file = join(root, path);
      if (!statSync(file).isFile() || statSync(file).size > 2 << 20) continue;
      const bytes = readFileSync(file);
      if (!bytes.includes(0)) files.push([path, bytes.toString('utf8')]);
    }
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
