import { ContainerState } from '../pods.ts';
import { RpcError } from '../../cri/client.ts';
import type { Probe } from './desired.ts';
import type { KubeletParts } from './parts.ts';
import type { MadeContainer } from './ledger.ts';
import { Away } from './line.ts';

/** A kubelet gives the runtime two minutes beyond the probe's own time. */
const BEYOND_MS = 120_000;
const FAILURES_TO_KILL = 3;
/** A probe's answer may come this late on a machine that has much to do. */
const PATIENCE_MS = 20_000;

/** The probes of all containers in turn, by ExecSync. */
export class Prober {
  readonly #parts: KubeletParts;
  readonly #failures = new Map<string, number>();
  readonly #running = new Set<string>();
  #turn = 0;

  constructor(parts: KubeletParts) {
    this.#parts = parts;
  }

  /** The next container's probe; resolves when it has answered. */
  async next(): Promise<void> {
    const probed = [...this.#parts.ledger.containers.values()].filter(
      (made) => made.container.probe !== undefined && made.started && made.endedBy === undefined,
    );
    if (probed.length === 0) return;
    const made = probed[this.#turn++ % probed.length]!;
    if (this.#running.has(made.id)) return; // a probe's worker waits for its answer
    this.#running.add(made.id);
    try {
      await this.#probe(made, made.container.probe!);
    } catch (error) {
      if (!(error instanceof Away || error instanceof RpcError)) throw error;
    } finally {
      this.#running.delete(made.id);
    }
  }

  async #probe(made: MadeContainer, probe: Probe): Promise<void> {
    const { line, book } = this.#parts;
    const begun = performance.now();
    let end: 'success' | 'failure' | 'timeout';
    let output = '';
    try {
      const request = { containerId: made.id, cmd: probe.command, timeout: BigInt(probe.timeoutSeconds) };
      const answer = await line.call('ExecSync', request, {
        deadlineMs: probe.timeoutSeconds * 1000 + BEYOND_MS,
        // The container may end before or while it is probed.
        tolerate: ['DEADLINE_EXCEEDED', 'NOT_FOUND', 'FAILED_PRECONDITION'],
      });
      end = answer.exitCode === 0 ? 'success' : 'failure';
      output = `exit code ${answer.exitCode}, ${Buffer.from(answer.stdout).toString()}${Buffer.from(answer.stderr).toString()}`;
      if (end === 'failure' && (await this.#hasEnded(made))) return;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (error.code !== 'DEADLINE_EXCEEDED') {
        if (!(await this.#hasEnded(made)))
          book.complain(`a probe of a running container fails with ${error.code}`, error.details);
        return;
      }
      end = 'timeout';
      const tookMs = performance.now() - begun;
      if (tookMs > probe.timeoutSeconds * 1000 + PATIENCE_MS)
        book.complain('a probe timed out late', `${Math.round(tookMs)} ms`);
    }
    book.did(`probes: ${end}`);
    this.#expect(made, probe, end, output);
    if (!probe.liveness) return;
    const failures = end === 'success' ? 0 : (this.#failures.get(made.id) ?? 0) + 1;
    this.#failures.set(made.id, failures);
    if (failures < FAILURES_TO_KILL) return;
    this.#failures.delete(made.id);
    made.endedBy = 'its liveness probe failed';
    this.#parts.killContainer(made.pod.uid, made.id, made.endedBy);
    book.did('containers killed for their liveness');
  }

  #expect({ pod, id }: MadeContainer, probe: Probe, end: string, output: string): void {
    const { book } = this.#parts;
    if (probe.end === 'either') return;
    // On a machine that is busy, a good command can take longer than its second.
    if (end === 'timeout' && probe.end !== 'timeout')
      return book.did('probes that the machine was too slow for');
    if (end !== probe.end)
      book.complain('a probe came to another end than its command', `${pod.name} ${id}: ${end}: ${output}`);
    else if (end === 'success' && probe.command.at(-1)!.includes('well') && !output.includes('well'))
      book.complain("a probe's output is lost", `${pod.name}: ${output}`);
  }

  /** Whether the container has ended or was asked to. */
  async #hasEnded(made: MadeContainer): Promise<boolean> {
    if (made.endedBy !== undefined) return true;
    const { line } = this.#parts;
    const look = line.call('ContainerStatus', { containerId: made.id }, { tolerate: ['NOT_FOUND'] });
    try {
      return (await look).status?.state !== ContainerState.RUNNING;
    } catch {
      return true; // gone, or the daemon is
    }
  }
}
