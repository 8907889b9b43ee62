import { Fault, messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import { run } from '../../native/run.ts';
import { DEFAULT_PATH } from '../../native/spawn.ts';
import type { PullAuth } from '../images.ts';

/** Asks a credential helper, by the word after `docker-credential-`, for what it has for a registry. */
export type AskHelper = (helper: string, registry: string) => Promise<PullAuth | undefined>;

const TIMEOUT_MS = 20_000;
const MAX_OUTPUT = 256 * 1024;
/** Docker's own registry is known to helpers by this address (docker-credential-helpers, README). */
const DOCKER_HUB = 'https://index.docker.io/v1/';
/** What a helper says on standard output when it has nothing (docker-credential-helpers, credentials/error.go). */
const NOTHING = /credentials not found/i;
/** The name that stands for a token instead of a user. */
const TOKEN = '<token>';
const INHERITED = ['HOME', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

/**
 * Runs `docker-credential-<helper> get` with the registry's name on its standard input, as Docker and containers-auth.json(5)
 * have it. undefined when it has nothing; a helper that fails has nothing either, and the log says why, since the image
 * may need none. Nothing of what it says on success is logged. Rejects only with the signal's reason.
 */
export function askHelper(exits: ExitWatcher, log: Log, signal: AbortSignal): AskHelper {
  return async (helper, registry) => {
    const program = `docker-credential-${helper}`;
    try {
      if (!/^[\w.-]+$/.test(helper)) throw new Fault('invalid', 'it is no name of a program');
      return await get(exits, program, registry, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn(
        { helper: program, registry },
        `The credential helper ${program} is not used: ${messageOf(error)}`,
      );
      return undefined;
    }
  };
}

async function get(
  exits: ExitWatcher,
  program: string,
  registry: string,
  signal: AbortSignal,
): Promise<PullAuth | undefined> {
  const env = INHERITED.flatMap((key) => (process.env[key] ? [`${key}=${process.env[key]}`] : []));
  const { code, stdout, stderr, killed } = await run(exits, {
    path: program,
    argv: [program, 'get'],
    env: [`PATH=${process.env['PATH'] ?? DEFAULT_PATH}`, ...env],
    cwd: '/',
    stdin: Buffer.from(registry === 'docker.io' ? DOCKER_HUB : registry),
    maxOutput: MAX_OUTPUT,
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  signal.throwIfAborted();
  if (killed === 'timeout') throw new Fault('deadline', `it did not answer within ${TIMEOUT_MS} ms`);
  if (code !== 0) {
    const said = `${stdout.toString()} ${stderr.toString()}`.replace(/\s+/g, ' ').trim().slice(0, 300);
    if (NOTHING.test(said)) return undefined;
    throw new Fault('internal', `it ended with ${code}: ${said}`);
  }
  return answerIn(stdout);
}

function answerIn(output: Buffer): PullAuth | undefined {
  let answer: { Username?: unknown; Secret?: unknown } | null;
  try {
    answer = JSON.parse(output.toString()) as typeof answer;
  } catch {
    // The parser's message would quote it.
    throw new Fault('invalid', 'its answer is no JSON');
  }
  const { Username: username, Secret: secret } = answer ?? {};
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw new Fault('invalid', 'its answer has no Username and Secret');
  if (secret === '') return undefined;
  const none = {
    username: '',
    password: '',
    auth: '',
    serverAddress: '',
    identityToken: '',
    registryToken: '',
  };
  return username === TOKEN ? { ...none, identityToken: secret } : { ...none, username, password: secret };
}
