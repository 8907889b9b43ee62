import { Fault } from '../../ground/fault.ts';
import type { SelinuxOptions } from '../config.ts';

/** The labels that the node's policy has for containers (`contexts/lxc_contexts` of its policy directory). */
export interface SelinuxContexts {
  /** `system_u:system_r:container_t:s0` */
  process: string;
  /** `system_u:object_r:container_file_t:s0` */
  file: string;
}

const NAME = /^[A-Za-z0-9_.-]*$/;
/** A sensitivity or a range of them, and categories: `s0`, `s0-s15:c0.c1023`, `s0:c5,c9` (mls levels, selinux(8)). */
const LEVEL = /^(s\d{1,2}(-s\d{1,2})?(:c\d{1,4}([.,]c\d{1,4})*)?)?$/;

/** Refuses parts of a label that cannot be ones, whether or not the node has SELinux. Throws `invalid`. */
export function checkSelinuxOptions(options: SelinuxOptions | undefined): void {
  if (options === undefined) return;
  for (const part of ['user', 'role', 'type'] as const)
    if (!NAME.test(options[part])) throw wrong(part, options[part]);
  if (!LEVEL.test(options.level)) throw wrong('level', options.level);
}

function wrong(part: string, value: string): Fault {
  return new Fault('invalid', `${JSON.stringify(value)} is no SELinux ${part}`);
}

/**
 * The labels of a container's process and of its files: the policy's own, with the parts that the caller names. User,
 * role and type are the process's; the level is the files' too, else the process could not reach them. Without a level
 * of the caller's both get the pod's.
 */
export function selinuxLabels(
  contexts: SelinuxContexts,
  options: SelinuxOptions | undefined,
  podLevel: string,
): SelinuxContexts {
  checkSelinuxOptions(options);
  const level = options?.level || podLevel;
  return {
    process: labelled(contexts.process, { ...options, level }),
    file: labelled(contexts.file, { user: options?.user, level }),
  };
}

function labelled(label: string, parts: Partial<SelinuxOptions>): string {
  const [user = '', role = '', type = '', ...level] = label.split(':');
  return [
    parts.user || user,
    parts.role || role,
    parts.type || type,
    parts.level || level.join(':') || 's0',
  ].join(':');
}

/** Whether the caller says anything about labels. */
export function asksForLabels(options: SelinuxOptions | undefined): boolean {
  return options !== undefined && Object.values(options).some((part) => part !== '');
}

/** Categories that a policy has (`c0` to `c1023`). */
const CATEGORIES = 1024;

/**
 * A level of two categories that no other pod has, so that pods of one type cannot reach each other's files. `random`
 * gives numbers from 0 to below its argument. Throws `exhausted` when all pairs are taken.
 */
export function freeLevel(taken: ReadonlySet<string>, random: (below: number) => number): string {
  const pairs = (CATEGORIES * (CATEGORIES - 1)) / 2;
  const first = random(pairs);
  for (let tries = 0; tries < pairs; tries++) {
    const level = levelOf((first + tries) % pairs);
    if (!taken.has(level)) return level;
  }
  throw new Fault('exhausted', 'Every pair of SELinux categories belongs to a pod');
}

/** The pair of that number: (0,1), (0,2), (1,2), (0,3) … */
function levelOf(pair: number): string {
  const high = Math.floor((1 + Math.sqrt(1 + 8 * pair)) / 2);
  return `s0:c${pair - (high * (high - 1)) / 2},c${high}`;
}

/** The two labels in the text of a policy's `lxc_contexts`; undefined when it does not have both. */
export function parseLxcContexts(text: string): SelinuxContexts | undefined {
  const value = (key: string): string | undefined =>
    new RegExp(`^\\s*${key}\\s*=\\s*"?([^"\\n]+?)"?\\s*$`, 'm').exec(text)?.[1];
  const process = value('process');
  const file = value('file');
  return process === undefined || file === undefined ? undefined : { process, file };
}

/** The label with another level. */
export function withLevel(label: string, level: string): string {
  return labelled(label, { level });
}
