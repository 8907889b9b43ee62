/*
 * What the host and the agent inside the machine say to each other over a virtio port: one JSON object a line, bytes in
 * base64. The agent says hello when it has begun, so after each boot.
 */

/** Host to agent. `id` is the host's and comes back with every answer. */
export type Request =
  | { id: number; op: 'run'; argv: string[]; env: Record<string, string>; cwd: string }
  | { id: number; op: 'signal'; of: number; signal: NodeJS.Signals }
  | { id: number; op: 'read'; path: string }
  | { id: number; op: 'write'; path: string; data: string; mode: number };

/** Agent to host. `end` closes what `id` began; `code` is 128 plus the signal when one ended the command. */
export type Answer =
  | { op: 'hello'; bootId: string }
  | { id: number; op: 'output'; stream: 1 | 2; data: string }
  | { id: number; op: 'end'; code: number }
  | { id: number; op: 'data'; data: string }
  | { id: number; op: 'failed'; reason: string };

/** Splits what arrives into lines; an unfinished one waits for its rest. */
export class Lines {
  #parts: string[] = [];

  /** The lines that `text` completes, without empty ones. */
  push(text: string): string[] {
    if (!text.includes('\n')) {
      this.#parts.push(text);
      return [];
    }
    const lines = `${this.#parts.join('')}${text}`.split('\n');
    this.#parts = [lines.pop()!];
    return lines.filter((line) => line !== '');
  }
}
