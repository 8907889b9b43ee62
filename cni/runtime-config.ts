import { isJsonObject } from './config-list.ts';

/** The names of the well-known capabilities and of their fields (CNI conventions, "Well-known Capabilities"). */
const NAMES = new Map(
  `portMappings hostPort containerPort protocol hostIP
   bandwidth ingressRate ingressBurst egressRate egressBurst
   ipRanges subnet rangeStart rangeEnd gateway ips
   dns servers searches options
   mac infinibandGUID aliases cgroupPath deviceID`
    .split(/\s+/)
    .map((name) => [name.toLowerCase(), name]),
);

/**
 * A `runtimeConfig` with the well-known names in their proper case. Runtimes written in Go send `HostPort`, and plugins
 * written in Go take any case: so do ours. What else there is stays as it is.
 */
export function properNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(properNames);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [NAMES.get(name.toLowerCase()) ?? name, properNames(inner)]),
  );
}
