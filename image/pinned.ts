import { parseReference, fullName } from './reference.ts';

/**
 * Whether an image of these names is one of those that stay: `patterns` are names as users write them, or their
 * beginnings with `*` at the end, and mean full names (`busybox` is `docker.io/library/busybox:latest`).
 */
export function pinnedBy(patterns: readonly string[]): (names: readonly string[]) => boolean {
  const exact = new Set<string>();
  const heads: string[] = [];
  for (const pattern of patterns) {
    if (pattern.endsWith('*')) heads.push(pattern.slice(0, -1));
    else exact.add(fullName(parseReference(pattern)));
  }
  return (names) => names.some((name) => exact.has(name) || heads.some((head) => name.startsWith(head)));
}
