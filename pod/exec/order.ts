import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import type { EntryOrder } from './entry.ts';
import { commandTemplate } from './template.ts';

/** What the entry needs to take this command into this container. */
export function entryOrder(parts: Parts, container: Container, command: string[]): EntryOrder {
  const { process, filter } = commandTemplate(parts, container);
  return {
    process: { ...process, args: command },
    filter: typeof filter === 'string' ? undefined : filter,
    cgroupPath: container.record.cgroupPath,
    containerId: container.id,
  };
}
