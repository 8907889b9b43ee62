/** A table of Markdown. Bars in cells are escaped. */
export function markdownTable(heads: string[], rows: string[][]): string {
  const line = (cells: string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return line(heads) + `|${'---|'.repeat(heads.length)}\n` + rows.map(line).join('');
}

/** The first letter as a capital, and a full stop at the end. */
export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** A word as code; nothing stays nothing. */
export function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}
