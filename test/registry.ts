import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownDirectory } from './strays.ts';
import { patient } from './patience.ts';

export interface Registry {
  /** `127.0.0.1:port`: plain HTTP, anonymous, deletion enabled. */
  address: string;
  stop(): Promise<void>;
}

export interface RegistryOptions {
  /** Where the images are kept; it stays when the registry stops. Default: a temporary directory that goes with it. */
  store?: string;
  /** Default: a free one. */
  port?: number;
  /** Certificate and key (PEM files): https. `clientCa`: only for those whose certificate it has signed. */
  tls?: { cert: string; key: string; clientCa?: string };
  /** A password file with bcrypt hashes: only for those who are in it. */
  htpasswd?: string;
  /** Puts a command line into other namespaces (`nsenter …`): the registry then listens on their loopback. */
  inside?: (argv: string[]) => string[];
}

/**
 * Starts Debian's docker-registry on a loopback port with its store in a temporary directory. It ends with
 * `stop()`, or with this process (parent-death signal). Several registries may serve one `store`.
 */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-registry-'));
  ownDirectory(directory);
  const config = join(directory, 'config.yml');
  await writeFile(
    config,
    `version: 0.1
log: { level: info, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: ${options.store ?? join(directory, 'store')} }
  delete: { enabled: true }
http: { addr: "127.0.0.1:${options.port ?? 0}"${tlsOf(options)} }
${options.htpasswd === undefined ? '' : `auth: { htpasswd: { realm: test, path: ${options.htpasswd} } }`}
`,
  );
  const argv = ['setpriv', '--pdeathsig', 'KILL', 'docker-registry', 'serve', config];
  const [program, ...rest] = options.inside?.(argv) ?? argv;
  const child = spawn(program!, rest, {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  const address = new Promise<string>((resolve, reject) => {
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (output.length > 65536) return;
      output += text;
      const listening = /listening on (127\.0\.0\.1:\d+)/.exec(output);
      if (listening) resolve(listening[1]!);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`docker-registry ended with ${code}: ${output}`)));
    setTimeout(() => reject(new Error(`docker-registry did not listen: ${output}`)), patient(10_000)).unref();
  });
  try {
    return { address: await address, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function tlsOf({ tls }: RegistryOptions): string {
  if (tls === undefined) return '';
  const clients = tls.clientCa === undefined ? '' : `, clientcas: [${tls.clientCa}]`;
  return `, tls: { certificate: ${tls.cert}, key: ${tls.key}${clients} }`;
}

/** One line of a password file: bcrypt, as crypt(3) of Debian makes it. */
export function htpasswdLine(user: string, password: string): string {
  const program = 'print crypt($ARGV[0], "\\$2b\\$05\\$abcdefghijklmnopqrstuu")';
  return `${user}:${execFileSync('perl', ['-e', program, password], { encoding: 'utf8' })}\n`;
}
