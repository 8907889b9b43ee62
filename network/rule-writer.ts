import type { RuleSet } from './rule-text.ts';

/**
 * Who writes what the built-in bridge network wants of the node's packet filter, for one address family: host ports,
 * answers to pods that reach themselves through one, masquerade, forwarding, and no way to the node's loopback.
 */
export interface RuleWriter {
  readonly family: 4 | 6;
  /** Looks at what is there and writes all of it when anything is missing. True when it had to. */
  ensure(set: RuleSet): Promise<boolean>;
  /** Writes what depends on pods, in one transaction. */
  write(set: RuleSet): Promise<void>;
  /** Takes away all that was ever written, because another one serves from now on. True when there was anything. */
  clear(): Promise<boolean>;
}
