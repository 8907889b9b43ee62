import { posix } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import type { SpecInput } from './input.ts';
import type { OciProcess } from './oci-spec.ts';
import { capabilities } from './capabilities.ts';
import { environment } from './environment.ts';

const MAX_OOM_SCORE_ADJ = 1000;

/** The container's first process (config.md, "Process"). */
export function processOf(input: SpecInput, notes: string[]): OciProcess {
  const { container, image, user, node } = input;
  const security = container.security;
  const asked = security.capabilities;
  return {
    terminal: container.tty,
    user: {
      uid: user.uid,
      gid: user.gid,
      ...(user.additionalGids.length > 0 ? { additionalGids: user.additionalGids } : {}),
    },
    args: commandLine(container, image),
    env: environment(
      {
        image: image.env,
        container: container.envs,
        hostname: input.hostname,
        tty: container.tty,
        home: user.home,
      },
      notes,
    ),
    cwd: workingDirectory(container.workingDir, image.workingDir),
    capabilities: capabilities(
      {
        privileged: security.privileged,
        add: asked?.add ?? [],
        drop: asked?.drop ?? [],
        addAmbient: asked?.addAmbient ?? [],
        bounding: node.boundingCapabilities,
      },
      notes,
    ),
    noNewPrivileges: security.noNewPrivs,
    ...(input.rlimits.length > 0 ? { rlimits: [...input.rlimits] } : {}),
    oomScoreAdj: oomScoreAdj(container.resources?.oomScoreAdj ?? 0, node.minOomScoreAdj, notes),
  };
}

/**
 * Command and arguments as Kubernetes defines them: the container's command replaces the image's entrypoint *and* its
 * cmd; the container's arguments replace the image's cmd. Throws `invalid` when nothing is left to run.
 */
export function commandLine(
  container: { command: string[]; args: string[] },
  image: { entrypoint: string[]; cmd: string[] },
): string[] {
  const entrypoint = image.entrypoint.length === 1 && image.entrypoint[0] === '' ? [] : image.entrypoint;
  const line =
    container.command.length > 0
      ? [...container.command, ...container.args]
      : [...entrypoint, ...(container.args.length > 0 ? container.args : image.cmd)];
  if (line.length === 0 || line[0] === '')
    throw new Fault('invalid', 'Neither the container nor its image names a command to run');
  const bad = line.findIndex((word) => word.includes('\0'));
  if (bad >= 0) throw new Fault('invalid', `Word ${bad} of the command line contains a NUL byte`);
  return line;
}

function workingDirectory(asked: string, image: string): string {
  if (asked.includes('\0') || image.includes('\0'))
    throw new Fault('invalid', 'The working directory contains a NUL byte');
  if (asked === '') return posix.resolve('/', image);
  if (!asked.startsWith('/'))
    throw new Fault('invalid', `The working directory ${JSON.stringify(asked)} is not an absolute path`);
  return asked;
}

/**
 * A process may not go below what it started with unless it has CAP_SYS_RESOURCE (proc(5), oom_score_adj): a lower
 * wish is raised to that, with a note. The value is always written, so that no container inherits its monitor's.
 */
function oomScoreAdj(asked: number, lowest: number, notes: string[]): number {
  if (asked > MAX_OOM_SCORE_ADJ || asked < -MAX_OOM_SCORE_ADJ)
    throw new Fault('invalid', `oom_score_adj ${asked} is not between -1000 and 1000`);
  if (asked >= lowest) return asked;
  notes.push(`oom_score_adj ${asked} raised to ${lowest}: the daemon may not go lower`);
  return lowest;
}
