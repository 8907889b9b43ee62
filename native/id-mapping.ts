import { chownSync } from 'node:fs';

/** A range of user or group ids of a user namespace, and what they are outside of it (user_namespaces(7)). */
export interface IdMapping {
  hostId: number;
  containerId: number;
  length: number;
}

/** The ids of a user namespace. */
export interface IdMappings {
  uids: IdMapping[];
  gids: IdMapping[];
}

/** What an id of the namespace is outside of it; undefined when it is not mapped. */
export function hostIdOf(mappings: readonly IdMapping[], containerId: number): number | undefined {
  const range = mappings.find(
    (one) => containerId >= one.containerId && containerId - one.containerId < one.length,
  );
  return range === undefined ? undefined : range.hostId + (containerId - range.containerId);
}

/** What is written to /proc/<pid>/uid_map and gid_map. */
export function idMapText(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerId, hostId, length }) => `${containerId} ${hostId} ${length}\n`).join('');
}

/** Whether two lists map the same ids to the same ids; the order of the ranges does not count. */
export function sameMappings(one: readonly IdMapping[], other: readonly IdMapping[]): boolean {
  const text = (list: readonly IdMapping[]): string =>
    idMapText(list.toSorted((a, b) => a.containerId - b.containerId));
  return text(one) === text(other);
}

/** Makes a file belong to the root of a user namespace. */
export function giveToRoot(path: string, { uids, gids }: IdMappings): void {
  chownSync(path, hostIdOf(uids, 0) ?? -1, hostIdOf(gids, 0) ?? -1);
}
