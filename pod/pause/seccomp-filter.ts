/** A seccomp filter as classic BPF (seccomp(2), linux/filter.h). */

const AUDIT_ARCH_X86_64 = 0xc000003e;
const EPERM = 1;
const RET = { KILL_PROCESS: 0x80000000, ERRNO: 0x00050000, ALLOW: 0x7fff0000 };
/** Load a word of struct seccomp_data; jump if it is equal; return. */
const OP = { LD: 0x20, JEQ: 0x15, RET: 0x06 };
/** Offsets in struct seccomp_data. */
const NR = 0;
const ARCH = 4;

export const INSTRUCTION_SIZE = 8;

/**
 * Lets through the given calls of x86-64. Any other is refused with EPERM; a call of another architecture's table
 * ends the process, since its numbers mean something else.
 */
export function seccompFilter(allowed: readonly number[]): Buffer {
  const refuse = instruction(OP.RET, RET.ERRNO | EPERM);
  const allow = instruction(OP.RET, RET.ALLOW);
  return Buffer.concat([
    instruction(OP.LD, ARCH),
    instruction(OP.JEQ, AUDIT_ARCH_X86_64, 1, 0),
    instruction(OP.RET, RET.KILL_PROCESS),
    instruction(OP.LD, NR),
    // Each jumps over the rest of the list and over the refusal.
    ...allowed.map((number, i) => instruction(OP.JEQ, number, allowed.length - i, 0)),
    refuse,
    allow,
  ]);
}

/** struct sock_filter: u16 code, u8 jump if true, u8 jump if false, u32 value. */
function instruction(code: number, value: number, ifTrue = 0, ifFalse = 0): Buffer {
  const bytes = Buffer.alloc(INSTRUCTION_SIZE);
  bytes.writeUInt16LE(code, 0);
  bytes[2] = ifTrue;
  bytes[3] = ifFalse;
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}
