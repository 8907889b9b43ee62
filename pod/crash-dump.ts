/** Where the dump of a Go program that dies begins: its last words before that stay (`runtime/panic.go`, "dieFromSignal"). */
const DUMP = /^(SIG[A-Z]+: |PC=0x|runtime: g \d+: |goroutine \d+ )/;
/** A line of runc's own log. */
const LOG_LINE = /^time="/;

/**
 * What a runtime said, without the registers and stacks that runc prints when it cannot have another thread: an error
 * is for a person. Lines of its log that come after a dump stay.
 */
export function withoutCrashDump(said: string): string {
  let inDump = false;
  return said
    .split('\n')
    .filter((line) => {
      if (LOG_LINE.test(line)) inDump = false;
      else if (DUMP.test(line)) inDump = true;
      return !inDump;
    })
    .join('\n');
}
