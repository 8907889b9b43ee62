const begin = performance.now();

/** A progress line on stderr, with the seconds since the start. */
export function note(text: string): void {
  const seconds = ((performance.now() - begin) / 1000).toFixed(0).padStart(4);
  process.stderr.write(`${seconds} s  ${text}\n`);
}
