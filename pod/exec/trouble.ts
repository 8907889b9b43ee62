import { E, ErrnoError } from '../../native/errno.ts';
import type { Parts } from '../parts.ts';
import type { EntryFailure } from './joining.ts';

/** What the daemon could not do itself, said once each. */
const complaints = new Set<string>();
const MAX_COMPLAINTS = 100;

/** Says that the runtime takes over; if it cannot do it either, its words reach the caller. */
export function complain(parts: Parts, trouble: string): void {
  if (complaints.has(trouble)) return;
  if (complaints.size >= MAX_COMPLAINTS) complaints.clear();
  complaints.add(trouble);
  parts.log.warn({ trouble }, 'a command could not be taken into its container; the OCI runtime does it');
}

/** Why a container could not be entered. The entry may end without a word: killed with the container, for one. */
export function wayWords({ what, errno }: EntryFailure): string {
  return errno === 0 ? `could not ${what}: it ended without a word` : new ErrnoError(what, errno).message;
}

/** Why a command could not be executed, in the words of people. */
export function wordsFor({ errno }: EntryFailure, command: string): string {
  const name = JSON.stringify(command);
  if (errno !== E.ENOENT) return new ErrnoError(`execute ${name}`, errno).message;
  if (command.includes('/')) return `there is no executable file ${name}, or its interpreter is missing`;
  return `executable ${name} not found in PATH`;
}
