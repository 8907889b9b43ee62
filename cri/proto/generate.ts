import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { emitCodec, emitTypes } from './emit.ts';

const here = import.meta.dirname;

/** Reads every .proto of this directory into one reflection tree, all types resolved. Throws on a bad proto. */
export function loadProtos(): protobuf.Root {
  const root = new protobuf.Root();
  for (const file of ['runtime/v1/api.proto', 'berth/v1/admin.proto'])
    protobuf.parse(readFileSync(join(here, file), 'utf8'), root);
  root.resolveAll();
  return root;
}

/** What codec.js and codec.d.ts have to hold. */
export function generated(): Record<'codec.js' | 'codec.d.ts', string> {
  const root = loadProtos();
  return { 'codec.js': emitCodec(root), 'codec.d.ts': emitTypes(root) };
}

if (import.meta.main) {
  const check = process.argv.includes('--check');
  for (const [name, text] of Object.entries(generated())) {
    const file = join(here, name);
    if (!check) writeFileSync(file, text);
    else if (readFileSync(file, 'utf8') !== text) {
      console.error(`cri/proto/${name} is not what the .proto files say: run node cri/proto/generate.ts`);
      process.exitCode = 1;
    }
  }
}
