/** An executable of one segment (elf(5)), for x86-64 Linux. */

const FILE_HEADER = 64;
const SEGMENT_HEADER = 56;
const SEGMENTS = 2;
const LOAD_ADDRESS = 0x400000;
const PAGE = 4096n;

const ET_EXEC = 2;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const PF = { X: 1, W: 2, R: 4 };

/** The address of the first byte of code: execution starts there. */
export const ENTRY = LOAD_ADDRESS + FILE_HEADER + SEGMENTS * SEGMENT_HEADER;

/** The file: headers and code in one segment that can be read and executed, and a stack that cannot be executed. */
export function executable(code: Buffer): Buffer {
  const header = Buffer.alloc(FILE_HEADER);
  // Magic, 64 bits, little endian, version 1.
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(ET_EXEC, 16);
  header.writeUInt16LE(EM_X86_64, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(ENTRY), 24);
  header.writeBigUInt64LE(BigInt(FILE_HEADER), 32);
  header.writeUInt16LE(FILE_HEADER, 52);
  header.writeUInt16LE(SEGMENT_HEADER, 54);
  header.writeUInt16LE(SEGMENTS, 56);
  const size = BigInt(FILE_HEADER + SEGMENTS * SEGMENT_HEADER + code.length);
  return Buffer.concat([
    header,
    segment(PT_LOAD, PF.R | PF.X, BigInt(LOAD_ADDRESS), size, PAGE),
    segment(PT_GNU_STACK, PF.R | PF.W, 0n, 0n, 16n),
    code,
  ]);
}

function segment(type: number, flags: number, address: bigint, size: bigint, align: bigint): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER);
  header.writeUInt32LE(type, 0);
  header.writeUInt32LE(flags, 4);
  header.writeBigUInt64LE(address, 16);
  header.writeBigUInt64LE(address, 24);
  header.writeBigUInt64LE(size, 32);
  header.writeBigUInt64LE(size, 40);
  header.writeBigUInt64LE(align, 48);
  return header;
}
