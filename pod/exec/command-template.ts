import type { OciProcess } from '../spec/oci-spec.ts';

/** What a command inside a container is made from. */
export interface CommandTemplate {
  /** The process that it was created with: user, environment, capabilities. A command gets the same. */
  process: OciProcess;
  /** Its system call filter; `untranslated` when only the runtime can read it. */
  filter: Buffer | 'none' | 'untranslated';
}
