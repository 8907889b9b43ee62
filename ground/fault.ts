import type { Stage } from './stages.ts';

/**
 * What went wrong, in the words of the domain. The wire maps each kind to one gRPC code, once, at the edge.
 *
 * - `invalid`: the caller's input cannot be served as it is
 * - `not-found`, `exists`: the named object is missing, or already there with another content
 * - `precondition`: the object is in a state in which this cannot be done
 * - `exhausted`: a bound was reached (addresses, sizes, counts)
 * - `deadline`, `cancelled`: the caller's deadline passed, or the caller left
 * - `unavailable`: a part outside of Berth (registry, plugin) does not answer; trying again can help
 * - `unimplemented`: Berth does not serve this
 * - `data-loss`: what was stored or received is damaged (digest mismatch, corrupt record)
 * - `permission`: refused for want of a right
 * - `internal`: all else; a kernel call or a child process failed
 */
export type FaultKind =
  | 'invalid'
  | 'not-found'
  | 'exists'
  | 'precondition'
  | 'exhausted'
  | 'deadline'
  | 'cancelled'
  | 'unavailable'
  | 'unimplemented'
  | 'data-loss'
  | 'permission'
  | 'internal';

export interface FaultDetails {
  /** What the fault is about: `container 3f2a…`, `image docker.io/library/x:1`. */
  subject?: string;
  /** The stage at which the work stood. */
  stage?: Stage;
  /** What the reader can try. One sentence. */
  hint?: string;
  cause?: unknown;
}

/**
 * The one error that rooms throw on purpose. Its message reads
 * `subject: stage: what could not be done: cause; hint`.
 */
export class Fault extends Error {
  readonly kind: FaultKind;
  readonly subject: string | undefined;
  readonly stage: Stage | undefined;
  readonly hint: string | undefined;
  /** The sentence alone, without subject, stage, cause and hint. */
  readonly what: string;

  constructor(kind: FaultKind, what: string, details: FaultDetails = {}) {
    const head = [details.subject, details.stage].filter((part) => part !== undefined);
    const cause = details.cause === undefined ? [] : [messageOf(details.cause)];
    const tail = details.hint === undefined ? '' : `; ${details.hint}`;
    super([...head, what, ...cause].join(': ') + tail, { cause: details.cause });
    this.name = 'Fault';
    this.kind = kind;
    this.what = what;
    this.subject = details.subject;
    this.stage = details.stage;
    this.hint = details.hint;
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * Names subject and stage on what was thrown below: a Fault keeps its kind, an abort becomes `cancelled` or
 * `deadline`, all else becomes `internal`.
 */
export function faultAt(thrown: unknown, subject: string, stage: Stage): Fault {
  if (thrown instanceof Fault) {
    if (thrown.subject !== undefined) return thrown;
    return new Fault(thrown.kind, thrown.what, { subject, stage, hint: thrown.hint, cause: thrown.cause });
  }
  const name = thrown instanceof Error ? thrown.name : '';
  if (name === 'AbortError')
    return new Fault('cancelled', 'The caller went away', { subject, stage, cause: thrown });
  if (name === 'TimeoutError')
    return new Fault('deadline', 'The deadline passed', { subject, stage, cause: thrown });
  return new Fault('internal', messageOf(thrown), { subject, stage });
}
