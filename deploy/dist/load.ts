import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { debuglog } from 'node:util';
import { constants, Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/*
 * What bin/berth of a release starts: it runs the program, berth.js, from code that V8 compiled earlier. Node's own cache
 * (NODE_COMPILE_CACHE) takes a module's code when it has been loaded, before its functions are: each is compiled when it
 * is first called, and all those calls are most of a daemon's start. Ours is taken from a daemon that has served.
 *
 * File: CRC-32 of what follows (4 bytes, little-endian), then V8's code. V8 holds it against its own version, flags and
 * the processor, but trusts its bytes: a power cut may have damaged them. The name holds the CRC-32 of the program.
 */

type Program = (url: string, directory: string, require: NodeJS.Require) => void;

const HEADER = 4;
/** By then the daemon has tried its handlers and answered its first calls. */
const KEEP_AFTER_MS = 15_000;

const directory = import.meta.dirname;
const file = join(directory, 'berth.js');
const say = debuglog('berth');

run();

function run(): void {
  const bytes = readFileSync(file);
  const cache = process.env['NODE_COMPILE_CACHE'] || join(directory, 'cache');
  const kept = join(cache, `berth-${crc32(bytes).toString(16)}.code`);
  const cachedData = readCode(kept);
  const script = new Script(bytes.toString('latin1'), {
    filename: file,
    ...(cachedData && { cachedData }),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const fits = script.cachedDataRejected === false;
  say('%s %s', kept, fits ? 'is taken' : cachedData === undefined ? 'is missing or damaged' : 'does not fit');
  // Other commands end before they have called what a daemon calls.
  if (!fits && process.argv[2] === 'serve') keepLater(script, cache, kept);
  const program = script.runInThisContext() as Program;
  program(pathToFileURL(file).href, directory, createRequire(file));
}

/** Undefined when there is none, or when it is damaged. */
function readCode(path: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path);
    const code = bytes.subarray(HEADER);
    return bytes.readUInt32LE(0) === crc32(code) ? code : undefined;
  } catch {
    return undefined; // the first start of this program on this machine
  }
}

/** Once, a while after the start or when the process ends before that. Where nothing can be written, nothing is kept. */
function keepLater(script: Script, cache: string, path: string): void {
  const keep = (): void => {
    clearTimeout(late);
    process.off('exit', keep);
    const partial = `${path}.${process.pid}`;
    try {
      const code = script.createCachedData();
      const header = Buffer.alloc(HEADER);
      header.writeUInt32LE(crc32(code), 0);
      mkdirSync(cache, { recursive: true });
      writeFileSync(partial, Buffer.concat([header, code]));
      renameSync(partial, path);
      say('%s is written', path);
    } catch (error) {
      say('%s cannot be written: %s', path, error);
      rmSync(partial, { force: true });
    }
  };
  const late = setTimeout(keep, KEEP_AFTER_MS).unref();
  process.once('exit', keep);
}
