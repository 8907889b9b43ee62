import { randomInt } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import { waitOrAbort } from '../ground/wait.ts';
import { isErrno } from '../native/errno.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { run } from '../native/run.ts';
import { lsetxattr } from '../native/xattr.ts';
import type { ContainerConfig, SandboxConfig } from './config.ts';
import type { Sandbox } from './sandbox.ts';
import type { SelinuxInput } from './spec/input.ts';
import { nodeFacts } from './spec/node-facts.ts';
import { freeLevel, parseLxcContexts, withLevel, type SelinuxContexts } from './spec/selinux.ts';

/*
 * What the daemon itself does for SELinux where it is on: levels of pods, labels of files. Labels of processes and of
 * their keyrings are set by the OCI runtime (config.md, `selinuxLabel`; config-linux.md, `mountLabel`).
 */

const POLICY_ROOT = '/etc/selinux';
const XATTR = 'security.selinux';
/** What is written here the kernel compares with its policy (selinux_check_context(3)). */
const CONTEXT_CHECK = '/sys/fs/selinux/context';
/** A volume of millions of files on slow disks takes its time. */
const RELABEL_LIMIT_MS = 10 * 60_000;
/** Files that every container may read, whatever its categories. */
const SHARED_LEVEL = 's0';
/** Relabelling these would take the node away from itself, as with the peers. Below them it is the caller's matter. */
const NEVER = [
  '/',
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/home',
  '/lib',
  '/lib64',
  '/opt',
  '/proc',
  '/root',
  '/run',
];
const NEVER_MORE = ['/sbin', '/srv', '/sys', '/tmp', '/usr', '/var', '/var/lib', '/var/log', '/var/run'];

/**
 * The labels that the policy in force has for containers (selinux_config(5), lxc_contexts). Throws `precondition` when
 * it has none. `root` is where policies lie.
 */
export function policyContexts(root = POLICY_ROOT): SelinuxContexts {
  const config = readOrEmpty(join(root, 'config'));
  const type = /^\s*SELINUXTYPE\s*=\s*(\S+)/m.exec(config)?.[1] ?? 'targeted';
  const file = join(root, type, 'contexts/lxc_contexts');
  const contexts = parseLxcContexts(readOrEmpty(file));
  if (contexts !== undefined) return contexts;
  throw new Fault('precondition', 'SELinux is on, and its policy has no labels for containers', {
    hint: `${file} should name them: install the policy for containers (container-selinux)`,
  });
}

/**
 * The level of a new pod: the one that its configuration names, else a pair of categories that no other pod has.
 * undefined where SELinux is off. Throws `exhausted` when there is none left.
 */
export function newPodLevel(
  config: SandboxConfig,
  others: Iterable<Sandbox>,
  selinux: boolean = nodeFacts().selinux,
): string | undefined {
  if (!selinux) return undefined;
  const asked = config.security.selinux?.level;
  if (asked !== undefined && asked !== '') return asked;
  const taken = new Set([...others].flatMap(({ record }) => record.selinuxLevel ?? []));
  return freeLevel(taken, randomInt);
}

/** What the labels of a pod's containers are made from; undefined where SELinux is off. Throws as `policyContexts`. */
export function selinuxInput({ record }: Sandbox): SelinuxInput | undefined {
  if (!nodeFacts().selinux) return undefined;
  return { contexts: policyContexts(), level: record.selinuxLevel ?? SHARED_LEVEL };
}

/** The label of files that all containers may read; undefined where SELinux is off. */
export function sharedFileLabel(): string | undefined {
  return nodeFacts().selinux ? known(withLevel(policyContexts().file, SHARED_LEVEL)) : undefined;
}

/** The label of a pod's own files. Called where SELinux is on. Throws as `checkLabelsKnown`. */
export function podFileLabel(level: string | undefined): string {
  return known(withLevel(policyContexts().file, level ?? SHARED_LEVEL));
}

/**
 * Throws `precondition` when the policy in force does not know one of the labels: whoever gets such a one later, a mount
 * or the runtime, only says that an argument is invalid. `check` is the kernel's file for it.
 */
export function checkLabelsKnown(labels: Iterable<string>, check = CONTEXT_CHECK): void {
  for (const label of labels) known(label, check);
}

function known(label: string, check = CONTEXT_CHECK): string {
  try {
    writeFileSync(check, label, { flag: 'r+' });
    return label;
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'EIO')) throw error;
    throw new Fault('precondition', `The node's SELinux policy does not know the label ${label}`, {
      cause: error,
      hint: 'name a user, role, type and level that it has, or install the policy for containers (container-selinux)',
    });
  }
}

/** Labels one file, not what a link leads to. File systems that keep no labels are passed over, as by the peers. */
export function labelFile(path: string, label: string): void {
  try {
    // The kernel's own tools write the final zero as well.
    lsetxattr(path, XATTR, Buffer.from(`${label}\0`));
  } catch (error) {
    if (!isErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'EROFS')) throw error;
  }
}

/**
 * Gives the sources of the mounts that ask for it, with all below them, the container's label (CRI
 * Mount.selinux_relabel; podman's `Z`: the categories are the pod's, nobody else's). `sources` are resolved. A child with
 * a deadline does it, for paths of pods may hang. Throws `invalid` for directories of the node itself, `deadline`, and
 * `internal` in the words of chcon.
 */
export async function relabelMounts(
  exits: ExitWatcher,
  { mounts }: Pick<ContainerConfig, 'mounts'>,
  sources: ReadonlyMap<string, string>,
  label: string,
  signal?: AbortSignal,
): Promise<void> {
  const asked = mounts.filter(({ selinuxRelabel, hostPath }) => selinuxRelabel && hostPath !== '');
  const paths = [...new Set(asked.map(({ hostPath }) => sources.get(hostPath) ?? hostPath))];
  const wrong = paths.find((path) => [...NEVER, ...NEVER_MORE].includes(path));
  if (wrong !== undefined)
    throw new Fault('invalid', `${wrong} cannot be relabelled for a container: it is the node's own`, {
      hint: 'mount a directory below it, or ask for no relabelling',
    });
  await labelTrees(exits, paths, label, signal);
}

/** Labels directories with all below them. For paths that exist; throws as `relabelMounts`. */
export async function labelTrees(
  exits: ExitWatcher,
  paths: readonly string[],
  label: string,
  signal?: AbortSignal,
): Promise<void> {
  if (paths.length === 0) return;
  const late = AbortSignal.timeout(RELABEL_LIMIT_MS);
  const either = signal === undefined ? late : AbortSignal.any([signal, late]);
  const argv = ['chcon', '--recursive', '--no-dereference', '--', label, ...paths];
  const result = await waitOrAbort(
    run(exits, { path: argv[0]!, argv, env: ['PATH=/usr/bin:/bin', 'LC_ALL=C'], signal: either, drainMs: 0 }),
    either,
  ).catch((error: unknown) => {
    signal?.throwIfAborted();
    if (!late.aborted) throw error;
    throw new Fault(
      'deadline',
      `Labelling ${paths.join(', ')} took more than ${RELABEL_LIMIT_MS / 60_000} min`,
    );
  });
  const words = result.stderr
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !/Operation not supported/.test(line));
  if (result.code === 0 || words.length === 0) return;
  throw new Fault('internal', `The label of its volumes cannot be set: ${words[0]}`, {
    hint: `the label is ${label}`,
  });
}

function readOrEmpty(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
