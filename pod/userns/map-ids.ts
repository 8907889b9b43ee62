import { writeFileSync } from 'node:fs';
import { Fault } from '../../ground/fault.ts';
import { idMapText, type IdMappings } from '../../native/id-mapping.ts';

/**
 * Maps the ids of the user namespace that a process has made (user_namespaces(7)). Throws `precondition` for ids that
 * the daemon itself does not have.
 */
export function mapIds(pid: number, { uids, gids }: IdMappings): void {
  for (const [file, mappings] of [
    ['uid_map', uids],
    ['gid_map', gids],
  ] as const) {
    const text = idMapText(mappings);
    try {
      writeFileSync(`/proc/${pid}/${file}`, text);
    } catch (error) {
      throw new Fault('precondition', `The ids ${JSON.stringify(text.trim())} cannot be mapped here`, {
        hint: 'each line is: id in the pod, id on the node, number of ids; the daemon must have them itself',
        cause: error,
      });
    }
  }
}
