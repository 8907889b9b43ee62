import * as v from 'valibot';
import { posix } from 'node:path';
import { Fault } from '../../../ground/fault.ts';
import { readFileIn } from '../../../native/openat2.ts';
import type { OciSeccomp } from '../oci-spec.ts';

const MAX_PROFILE_BYTES = 1024 * 1024;

const ERRNO = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4095));
const WORD = v.pipe(v.string(), v.nonEmpty());
const VALUE = v.pipe(v.number(), v.integer(), v.minValue(0));

/** The seccomp part of config.json (config-linux.md, "Seccomp"), without user notification: nobody would answer. */
const PROFILE = v.object({
  defaultAction: WORD,
  defaultErrnoRet: v.optional(ERRNO),
  architectures: v.optional(v.nullable(v.array(WORD))),
  flags: v.optional(v.nullable(v.array(WORD))),
  syscalls: v.optional(
    v.nullable(
      v.array(
        v.object({
          names: v.pipe(v.array(WORD), v.nonEmpty()),
          action: WORD,
          errnoRet: v.optional(v.nullable(ERRNO)),
          args: v.optional(
            v.nullable(
              v.array(v.object({ index: VALUE, value: VALUE, valueTwo: v.optional(VALUE), op: WORD })),
            ),
          ),
        }),
      ),
    ),
  ),
});

/**
 * Reads a Localhost profile. `reference` is the file's path below `root` (the kubelet's seccomp directory), or its
 * absolute path there, with or without the prefix `localhost/`. Throws `invalid` when it leads out of the directory,
 * is missing, larger than a megabyte, or not a profile.
 */
export function localhostProfile(root: string, reference: string): OciSeccomp {
  const subject = `seccomp profile ${JSON.stringify(reference)}`;
  const path = reference.replace(/^localhost\//, '');
  const relative = path.startsWith('/') ? posix.relative(root, path) : posix.normalize(path);
  if (path === '' || relative === '' || relative.startsWith('..') || path.includes('\0'))
    throw new Fault('invalid', `It does not lie in ${root}`, { subject });
  const bytes = readFileIn(root, relative, MAX_PROFILE_BYTES);
  if (bytes === undefined) throw new Fault('invalid', `There is no such file in ${root}`, { subject });
  return parseProfile(bytes, subject);
}

/** Throws `invalid` when the bytes are not a profile of the OCI runtime specification. */
export function parseProfile(bytes: Uint8Array, subject: string): OciSeccomp {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Fault('invalid', 'It is not JSON', { subject, cause });
  }
  const parsed = v.safeParse(PROFILE, json);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    throw new Fault(
      'invalid',
      `It is not a seccomp profile: ${v.getDotPath(issue) ?? 'it'}: ${issue.message}`,
      { subject },
    );
  }
  const { defaultAction, defaultErrnoRet, architectures, flags, syscalls } = parsed.output;
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...(architectures ? { architectures } : {}),
    ...(flags ? { flags } : {}),
    syscalls: (syscalls ?? []).map(({ names, action, errnoRet, args }) => ({
      names,
      action,
      ...(typeof errnoRet === 'number' ? { errnoRet } : {}),
      ...(args ? { args } : {}),
    })),
  };
}
