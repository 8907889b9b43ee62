/** What follows from the kernel's answer; `interpreter.ts` draws it. */
export type CallKind = 'try' | 'must' | 'gate' | 'fork' | 'supervise' | 'exec';

/** A system call as the program makes it: numbers and addresses below 2^32. */
export interface Call {
  kind: CallKind;
  number: number;
  args: readonly number[];
  /** What cannot be done when it fails: `join the cgroup`. */
  what: string;
}
