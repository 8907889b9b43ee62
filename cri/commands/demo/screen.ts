import { stripVTControlCharacters, styleText } from 'node:util';
import type { WriteStream } from 'node:tty';

type Style = Parameters<typeof styleText>[0];

/** Where the demo writes: with colours on a terminal, without anywhere else or when NO_COLOR is set. */
export class Screen {
  readonly #out: Pick<WriteStream, 'write' | 'isTTY' | 'columns'>;
  readonly #colours: boolean;

  constructor(out: Pick<WriteStream, 'write' | 'isTTY' | 'columns'>, env: NodeJS.ProcessEnv = process.env) {
    this.#out = out;
    this.#colours = out.isTTY === true && env['NO_COLOR'] === undefined && env['TERM'] !== 'dumb';
  }

  get columns(): number {
    return this.#out.isTTY ? Math.min(Math.max(this.#out.columns, 60), 110) : 100;
  }

  paint(style: Style, text: string): string {
    return this.#colours ? styleText(style, text, { validateStream: false }) : text;
  }

  line(text = ''): void {
    this.#out.write(`${this.#colours ? text : stripVTControlCharacters(text)}\n`);
  }

  /** A headline with an empty line above. */
  title(text: string): void {
    this.line();
    this.line(this.paint('bold', text));
  }

  /** `name  value`, the names in one column. */
  fact(name: string, value: string): void {
    this.line(`  ${this.paint('dim', name.padEnd(12))} ${value}`);
  }
}
