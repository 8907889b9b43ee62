import { spawn } from 'node:child_process';

/** A part of a command line as its words; none of them holds a space. */
export function words(text: string): string[] {
  return text.split(' ');
}

/**
 * Runs a program of this machine to its end and resolves with its output. Rejects with what it wrote to stderr when it
 * fails or takes longer than `limitMs`; the whole process group ends then.
 */
export function program(argv: string[], limitMs: number, cwd = '/'): Promise<string> {
  const [file, ...args] = argv;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(file!, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  let complaint = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (complaint = (complaint + data.toString()).slice(-4000)));
  const kill = (): void => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  };
  const timer = setTimeout(() => {
    complaint += `\ntook longer than ${limitMs / 1000} s and was ended`;
    kill();
  }, limitMs);
  process.once('exit', kill);
  child.on('error', (error) => (complaint += error.message));
  child.on('close', (code) => {
    clearTimeout(timer);
    process.off('exit', kill);
    if (code === 0) resolve(output);
    else reject(new Error(`${argv.slice(0, 4).join(' ')} … failed (${code}): ${complaint.trim()}`));
  });
  return promise;
}
