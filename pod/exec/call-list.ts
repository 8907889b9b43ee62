import type { Call, CallKind } from './call.ts';
import { callProgram, dataAddress } from './interpreter.ts';

/** A list of system calls in the making, with the data that they point to. */
export class CallList {
  readonly calls: Call[] = [];
  readonly #data: Buffer[] = [];
  #size = 0;

  get dataSize(): number {
    return this.#size;
  }

  /** Appends a call of at most five arguments. */
  add(kind: CallKind, what: string, number: number, ...args: number[]): void {
    this.calls.push({ kind, what, number, args });
  }

  /** The address of these bytes in the program. */
  bytes(bytes: Uint8Array): number {
    const address = dataAddress() + this.#size;
    const padding = -bytes.length & 7;
    this.#data.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), Buffer.alloc(padding));
    this.#size += bytes.length + padding;
    return address;
  }

  /** The address of a C string. */
  text(text: string): number {
    return this.bytes(Buffer.from(`${text}\0`));
  }

  /** The address of C strings in a row that ends with a null pointer: argv, envp. */
  texts(texts: readonly string[]): number {
    const addresses = texts.map((text) => BigInt(this.text(text)));
    return this.bytes(new Uint8Array(new BigUint64Array([...addresses, 0n]).buffer));
  }

  /** The address of 32-bit numbers in a row. */
  words(...words: number[]): number {
    return this.bytes(new Uint8Array(new Uint32Array(words).buffer));
  }

  /** The finished executable. */
  program(): Buffer {
    return callProgram(this.calls, Buffer.concat(this.#data));
  }
}
