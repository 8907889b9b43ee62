import type { Started } from '../../native/run.ts';
import type { CommandStreams } from './command-streams.ts';

/** Why a command did not begin. */
export interface Refusal {
  words: string;
  /** It is the way into the container that failed, and not the command. */
  way: boolean;
}

/** A command with streams on its way. */
export interface StartedCommand extends Started {
  readonly streams: CommandStreams;
  /** Resolves when the command has begun, or with the reason when it is known that it will not. */
  readonly begun: Promise<Refusal | undefined>;
}
