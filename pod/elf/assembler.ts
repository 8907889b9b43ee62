/**
 * As much of an assembler for x86-64 as Berth's own programs need. Each method appends one instruction; labels may be
 * used before they stand. Encodings are from Intel's manual, volume 2.
 */

/** Register numbers as instructions encode them. The kernel's calls take rdi, rsi, rdx, r10, r8 and spoil rcx, r11. */
export const REGISTER = {
  rax: 0,
  rcx: 1,
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
} as const;

export type Register = keyof typeof REGISTER;

/** A number, or the address of a label. */
export type Value = number | { label: string };

const ARGUMENTS = ['rdi', 'rsi', 'rdx', 'r10', 'r8'] as const;
const CONDITION = { zero: 0x84, notZero: 0x85, negative: 0x88, positive: 0x8f } as const;

/** Code and data in the making. */
export class Assembler {
  readonly #base: number;
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  /** Four bytes at `at` that wait for a label: its address, or its distance from behind them. */
  readonly #fixups: { at: number; label: string; relative: boolean }[] = [];

  /** `base` is the address at which the first byte will stand. */
  constructor(base: number) {
    this.#base = base;
  }

  /** Names this place. */
  label(name: string): void {
    this.#labels.set(name, this.#bytes.length);
  }

  /** Sets a whole register to an unsigned 32-bit value: writing the low half clears the high one. */
  move(register: Register, value: Value): void {
    const number = REGISTER[register];
    if (number >= 8) this.#emit(0x41);
    this.#emit(0xb8 + (number & 7));
    this.#word(value, false);
  }

  /** Copies the low half of a register of the first eight. */
  copy(to: Register, from: Register): void {
    this.#emit(0x89, 0xc0 | (REGISTER[from] << 3) | REGISTER[to]);
  }

  /** Copies a whole register of the first eight. */
  copyWhole(to: Register, from: Register): void {
    this.#emit(0x48, 0x89, 0xc0 | (REGISTER[from] << 3) | REGISTER[to]);
  }

  /** Adds a number below 128 to a whole register of the first eight. */
  addWhole(register: Register, value: number): void {
    this.#emit(0x48, 0x83, 0xc0 | REGISTER[register], value);
  }

  /** Sets a whole register to the four bytes at a label. */
  loadAt(register: Register, label: string): void {
    this.#rex(register);
    this.#emit(0x8b, 0x04 | ((REGISTER[register] & 7) << 3), 0x25);
    this.#word({ label }, false);
  }

  /** Sets a whole register to the four bytes `offset` (-128 to 127) behind the address in rbx. */
  loadBehindRbx(register: Register, offset: number): void {
    this.#rex(register);
    this.#emit(0x8b, 0x43 | ((REGISTER[register] & 7) << 3), offset & 0xff);
  }

  /** Adds a number below 128 to the low half of one of the first eight registers, and clears its high half. */
  add(register: Register, value: number): void {
    this.#emit(0x83, 0xc0 | REGISTER[register], value);
  }

  /** rsi = rsp. */
  moveStackPointerToRsi(): void {
    this.#emit(0x48, 0x89, 0xe6);
  }

  push(register: Register): void {
    this.#emit(0x50 + REGISTER[register]);
  }

  increment(register: Register): void {
    this.#emit(0xff, 0xc0 | REGISTER[register]);
  }

  /** A call of the kernel; the result is in rax, a negative one is an error number. */
  syscall(number: number, ...args: (Value | Register)[]): void {
    for (const [i, arg] of args.entries()) {
      const target = ARGUMENTS[i]!;
      if (typeof arg !== 'string') this.move(target, arg);
      else if (arg !== target) this.copy(target, arg);
    }
    this.move('rax', number);
    this.enterKernel();
  }

  /** The call itself, for whom number and arguments stand in their registers already. */
  enterKernel(): void {
    this.#emit(0x0f, 0x05);
  }

  compareEax(value: number): void {
    this.#emit(0x3d);
    this.#word(value, false);
  }

  /** Compares the low half of one of the first eight registers. */
  compare(register: Register, value: number): void {
    this.#emit(0x81, 0xf8 | REGISTER[register]);
    this.#word(value, false);
  }

  /** Compares the low halves of two of the first eight registers. */
  compareRegisters(one: Register, other: Register): void {
    this.#emit(0x39, 0xc0 | (REGISTER[other] << 3) | REGISTER[one]);
  }

  testEax(): void {
    this.#emit(0x85, 0xc0);
  }

  jump(label: string): void {
    this.#emit(0xe9);
    this.#word({ label }, true);
  }

  /** Jumps by the result of the last comparison. */
  jumpIf(condition: keyof typeof CONDITION, label: string): void {
    this.#emit(0x0f, CONDITION[condition]);
    this.#word({ label }, true);
  }

  /** Data, at an address that eight divides. */
  data(label: string, ...parts: (Uint8Array | Value)[]): void {
    while (this.#bytes.length % 8 !== 0) this.#emit(0);
    this.label(label);
    for (const part of parts) {
      if (part instanceof Uint8Array) this.#emit(...part);
      else {
        // An address as 64 bits: programs stand below 2^32.
        this.#word(part, false);
        this.#emit(0, 0, 0, 0);
      }
    }
  }

  /** The finished bytes. Throws when a label does not stand anywhere. */
  assemble(): Buffer {
    const bytes = Buffer.from(this.#bytes);
    for (const { at, label, relative } of this.#fixups) {
      const place = this.#labels.get(label);
      if (place === undefined) throw new Error(`The label ${label} does not stand anywhere`);
      bytes.writeInt32LE(relative ? place - (at + 4) : this.#base + place, at);
    }
    return bytes;
  }

  /** The prefix for the upper registers as the one that is written. */
  #rex(register: Register): void {
    if (REGISTER[register] >= 8) this.#emit(0x44);
  }

  #emit(...bytes: number[]): void {
    this.#bytes.push(...bytes);
  }

  #word(value: Value, relative: boolean): void {
    if (typeof value !== 'number') {
      this.#fixups.push({ at: this.#bytes.length, label: value.label, relative });
      this.#emit(0, 0, 0, 0);
      return;
    }
    for (const shift of [0, 8, 16, 24]) this.#emit((value >>> shift) & 0xff);
  }
}
