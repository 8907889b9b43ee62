import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/**
 * Writes what lies in `directory` as a tar archive, with the same bytes for the same files whoever builds where:
 * sorted by name, owned by root, dated `epoch` (seconds since 1970). A `file` that ends with `.gz` is compressed.
 */
export async function writeTar(directory: string, file: string, epoch: number): Promise<void> {
  const order = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${epoch}`];
  const child = spawn(
    'tar',
    ['--format=gnu', ...order, '--mode=u+w,go-w,a+rX', '-C', directory, '-cf', '-', '.'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let complaint = '';
  child.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`tar ended with ${code}: ${complaint.trim()}`)),
    );
  });
  const out = createWriteStream(file);
  // Node writes no name and no time into the header.
  const compressed = /\.t?gz$/.test(file);
  const written = compressed
    ? pipeline(child.stdout, createGzip({ level: 6 }), out)
    : pipeline(child.stdout, out);
  await Promise.all([written, ended]);
}

/** SHA-256 of a file, in hexadecimal. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
