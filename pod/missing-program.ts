import { Fault, messageOf } from '../ground/fault.ts';

/** How the OCI runtimes say that there is no such program: crun, then runc by path and by name. */
const NOT_FOUND = [
  /executable file `(.+?)` not found/,
  /exec: \\?"(.+?)\\?": stat .+: no such file or directory/,
  /exec: \\?"(.+?)\\?": executable file not found/,
];

/**
 * Whether a failed create failed because the command is not in the image, as a Fault that names it. The daemon does
 * not look into the image for it: the OCI runtime does, in the container's own root, and this reads its words.
 */
export function missingProgram(error: unknown): Fault | undefined {
  const text = messageOf(error);
  const program = NOT_FOUND.map((pattern) => pattern.exec(text)?.[1]).find((found) => found !== undefined);
  if (program === undefined) return undefined;
  return new Fault('invalid', `The image has no program ${JSON.stringify(program)}`, {
    hint: "check the container's command and the image's PATH",
    cause: error,
  });
}
