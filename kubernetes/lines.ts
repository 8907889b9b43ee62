import { Fault } from '../ground/fault.ts';

const MAX_LINE = 16 << 20;
const MAX_TEXT = 64 << 20;

/** The lines of a stream, as many at once as have come. What is behind the last line break is no line. Throws Fault `unavailable` for a line that has no end. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  let rest: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const end = bytes.lastIndexOf(10);
    if (end < 0) {
      rest.push(bytes);
      length += bytes.length;
      if (length > MAX_LINE) throw new Fault('unavailable', `A line is longer than ${MAX_LINE} bytes`);
      yield [];
      continue;
    }
    const text = Buffer.concat([...rest, bytes.subarray(0, end)]).toString();
    rest = [bytes.subarray(end + 1)];
    length = rest[0]!.length;
    yield text.split('\n').filter((line) => line.trim() !== '');
  }
}

/** All of a stream as text. Throws Fault `unavailable` when it has no end. */
export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_TEXT) throw new Fault('unavailable', `An answer is longer than ${MAX_TEXT} bytes`);
  }
  return Buffer.concat(chunks).toString();
}
