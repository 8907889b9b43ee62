import { readFileSync } from 'node:fs';

/**
 * The names of all links in this process' network namespace. /proc/net/dev is read under RCU: unlike a request over
 * netlink it does not queue up behind the lock that the kernel holds while it takes namespaces down.
 */
export function linkNames(): Set<string> {
  const lines = readFileSync('/proc/self/net/dev', 'utf8').split('\n').slice(2);
  return new Set(
    lines.map((line) => line.slice(0, line.lastIndexOf(':')).trim()).filter((name) => name !== ''),
  );
}
