import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { TestNode } from '../node.ts';
import { ContainerState, readLog, wholeLines } from '../pods.ts';
import type { DesiredPod } from './desired.ts';
import type { KubeletParts } from './parts.ts';
import type { MadeContainer } from './ledger.ts';
import { isCode } from './line.ts';

/** Where log collectors look: one link a container, as in /var/log/containers. */
export function symlinkOf(node: TestNode, pod: DesiredPod, container: string, containerId: string): string {
  return join(node.directory, 'kubelet/log-links', `${pod.name}_default_${container}-${containerId}.log`);
}

const MAX_BYTES = 6 * 1024;
/** Rotated files that are kept, as containerLogMaxFiles. */
const MAX_FILES = 4;

/** Rotates the logs of containers that talk, as a kubelet's container log manager does, and counts their lines. */
export class LogRotation {
  readonly #parts: KubeletParts;
  /** The last line that was seen in a rotated file, by container. */
  readonly #lastLine = new Map<string, number>();

  constructor(parts: KubeletParts) {
    this.#parts = parts;
  }

  /** Looks at all of them once. */
  async look(): Promise<void> {
    const { ledger } = this.#parts;
    for (const made of ledger.containers.values()) {
      if (made.container.talks !== true || made.endedBy !== undefined || !made.started) continue;
      if (!existsSync(made.logPath) || statSync(made.logPath).size < MAX_BYTES) continue;
      made.rotating = true;
      await this.#rotate(made).finally(() => (made.rotating = false));
    }
  }

  async #rotate(made: MadeContainer): Promise<void> {
    const { line, book } = this.#parts;
    const rotated = `${made.logPath}.${String(Date.now())}`;
    renameSync(made.logPath, rotated);
    try {
      await line.call(
        'ReopenContainerLog',
        { containerId: made.id },
        // The container can have ended since it was looked at.
        { tolerate: ['NOT_FOUND', 'FAILED_PRECONDITION'] },
      );
    } catch (error) {
      // As a kubelet: the log goes back to its name, unless the runtime has made a new one after all.
      if (!existsSync(made.logPath)) renameSync(rotated, made.logPath);
      if (isCode(error, 'FAILED_PRECONDITION') && (await this.#runs(made.id)))
        book.complain('the log of a running container cannot be opened again', made.id);
      return;
    }
    if (!existsSync(made.logPath)) book.complain('ReopenContainerLog leaves no log', made.logPath);
    this.#expectLines(made, rotated);
    book.did('logs rotated');
    for (const old of this.#rotatedOf(made.logPath).slice(0, -MAX_FILES)) rmSync(old);
  }

  /** Each rotated file begins after the last line of the one before it, and no line is missing within. */
  #expectLines({ id, pod }: MadeContainer, rotated: string): void {
    let last = this.#lastLine.get(id);
    for (const text of wholeLines(readLog(rotated))) {
      const number = Number.parseInt(text, 10);
      if (last !== undefined && number !== last + 1)
        this.#parts.book.complain(
          'a log has lost or doubled lines',
          `${pod.name} ${basename(rotated)}: ${number} after ${last}`,
        );
      last = number;
    }
    if (last !== undefined) this.#lastLine.set(id, last);
  }

  async #runs(containerId: string): Promise<boolean> {
    const { status } = await this.#parts.line.call('ContainerStatus', { containerId });
    return status?.state === ContainerState.RUNNING;
  }

  #rotatedOf(logPath: string): string[] {
    const directory = dirname(logPath);
    return readdirSync(directory)
      .filter((name) => name.startsWith(`${basename(logPath)}.`))
      .sort()
      .map((name) => join(directory, name));
  }
}
