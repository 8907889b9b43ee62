import { readFileSync } from 'node:fs';

/** One record of a log in the CRI's format, its content as it stands. */
export interface LogRecord {
  stream: 'stdout' | 'stderr';
  /** `P`: the line goes on in the stream's next record. */
  partial: boolean;
  content: Buffer;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** The records of a log's bytes, binary or not. Throws for a record that has not the CRI's form. */
export function* logRecords(bytes: Buffer): Generator<LogRecord> {
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end < 0) throw new Error(`The log ends within a record: ${quoted(bytes.subarray(at))}`);
    const afterTime = bytes.indexOf(SPACE, at) + 1;
    const afterStream = bytes.indexOf(SPACE, afterTime) + 1;
    const stream = bytes.toString('latin1', afterTime, afterStream - 1);
    const tag = bytes.toString('latin1', afterStream, afterStream + 2);
    const known = stream === 'stdout' || stream === 'stderr';
    if (
      !known ||
      (tag !== 'P ' && tag !== 'F ') ||
      Number.isNaN(Date.parse(bytes.toString('latin1', at, afterTime - 1)))
    )
      throw new Error(`Not a record of the CRI: ${quoted(bytes.subarray(at, end))}`);
    yield { stream, partial: tag === 'P ', content: bytes.subarray(afterStream + 2, end) };
    at = end + 1;
  }
}

/** What a container wrote to each of its streams, as its log files hold it, oldest first. */
export function loggedStreams(files: string[]): Record<LogRecord['stream'], Buffer> {
  const parts: Record<LogRecord['stream'], Buffer[]> = { stdout: [], stderr: [] };
  const newline = Buffer.from([NEWLINE]);
  for (const file of files)
    for (const { stream, partial, content } of logRecords(readFileSync(file))) {
      parts[stream].push(content);
      if (!partial) parts[stream].push(newline);
    }
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr) };
}

function quoted(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 200));
}
