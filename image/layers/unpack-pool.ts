import { Worker } from 'node:worker_threads';
import { Fault } from '../../ground/fault.ts';
import { releaseFreeMemory } from '../../native/memory.ts';
import { syncAhead } from '../../native/writeback.ts';
import type { ExtractLimits } from './extract.ts';
import type { Failure, Reply, Request, Settlement, Unpacked } from './protocol.ts';

const MAX_WORKERS = 2;
const IDLE_MS = 4_000;
/** Bytes gathered before they go to a worker, and how many such parcels may be under way for one layer. */
const PARCEL = 512 * 1024;
const UNDER_WAY = 4;

/** What a job is waiting for. */
interface Job {
  fail: (error: Fault) => void;
  unpacked?: (layer: Unpacked) => void;
  settled?: (failures: (Failure | undefined)[]) => void;
  consumed?: (buffer: ArrayBuffer) => void;
}

/** Threads that unpack layers: started when there is work, ended after some idle seconds. */
export class UnpackPool {
  readonly #workers: PoolWorker[] = [];
  readonly #unsettled: { settlement: Settlement; resolve: () => void; reject: (error: unknown) => void }[] =
    [];
  #settling = false;
  #closed = false;

  /** Starts a thread before its first work, while the registry is still being asked. */
  warm(): void {
    if (this.#workers.length === 0) this.#workers.push(this.#start());
  }

  /** Begins to unpack into `directory`, which exists and is empty. `algorithm` is that of the expected diff id. */
  open(directory: string, limits: ExtractLimits, algorithm: string): UnpackStream {
    return new UnpackStream(this.#pick(), directory, limits, algorithm);
  }

  /**
   * See Settlement. Those that come while others are being settled go together: one sync of the file system serves
   * them all. Rejects with a Fault; the directory may then be under either name.
   */
  settle(settlement: Settlement): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#unsettled.push({ settlement, resolve, reject });
    if (!this.#settling) void this.#settleAll();
    return promise;
  }

  /** Ends the threads; what they were doing fails. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#workers.splice(0).map((worker) => worker.end()));
  }

  async #settleAll(): Promise<void> {
    this.#settling = true;
    // Layers of one image are often ready in the same turn.
    await Promise.resolve();
    while (this.#unsettled.length > 0) {
      const batch = this.#unsettled.splice(0);
      try {
        const failures = await this.#pick().settle(batch.map(({ settlement }) => settlement));
        for (const [i, { resolve, reject }] of batch.entries()) {
          const failure = failures[i];
          if (failure === undefined) resolve();
          else reject(new Fault(failure.kind, failure.message));
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#settling = false;
  }

  #pick(): PoolWorker {
    if (this.#closed) throw new Fault('unavailable', 'The image store is closed');
    const least = this.#workers.toSorted((a, b) => a.load - b.load)[0];
    if (least !== undefined && (least.load === 0 || this.#workers.length === MAX_WORKERS)) return least;
    const worker = this.#start();
    this.#workers.push(worker);
    return worker;
  }

  #start(): PoolWorker {
    return new PoolWorker((worker) => {
      const at = this.#workers.indexOf(worker);
      if (at >= 0) this.#workers.splice(at, 1);
    });
  }
}

/** One thread and the jobs that it has. */
class PoolWorker {
  readonly #worker = new Worker(new URL('./unpack-worker.ts', import.meta.url), { name: 'unpack' });
  readonly #jobs = new Map<number, Job>();
  #next = 1;
  readonly #gone: (worker: PoolWorker) => void;
  #idle: NodeJS.Timeout | undefined;

  /** `gone` is called when the thread takes no more jobs. */
  constructor(gone: (worker: PoolWorker) => void) {
    this.#gone = gone;
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => this.#receive(reply));
    const lost = (cause: unknown): void => {
      gone(this);
      for (const job of this.#jobs.values())
        job.fail(new Fault('internal', 'The unpacking thread ended', { cause }));
      this.#jobs.clear();
    };
    this.#worker.once('error', lost);
    this.#worker.once('exit', (code) => lost(new Error(`exit code ${code}`)));
    this.#watchIdle();
  }

  get load(): number {
    return this.#jobs.size;
  }

  begin(job: Job): number {
    clearTimeout(this.#idle);
    this.#worker.ref();
    this.#jobs.set(this.#next, job);
    return this.#next++;
  }

  post(request: Request, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  settle(settlements: Settlement[]): Promise<(Failure | undefined)[]> {
    return new Promise((settled, fail) => {
      const job = this.begin({ fail, settled });
      this.post({ to: 'settle', job, settlements });
    });
  }

  forget(job: number): void {
    if (!this.#jobs.delete(job) || this.#jobs.size > 0) return;
    this.#worker.unref();
    this.#watchIdle();
  }

  async end(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#worker.terminate();
  }

  #watchIdle(): void {
    this.#idle = setTimeout(() => {
      this.#gone(this);
      // A pull leaves many freed megabytes behind, which a daemon at rest does not need.
      void this.end().then(releaseFreeMemory);
    }, IDLE_MS).unref();
  }

  #receive(reply: Reply): void {
    const job = this.#jobs.get(reply.job);
    if (job === undefined) return;
    switch (reply.from) {
      case 'consumed':
        job.consumed?.(reply.buffer);
        return;
      case 'unpacked':
        this.forget(reply.job);
        job.unpacked?.(reply.layer);
        return;
      case 'settled':
        this.forget(reply.job);
        job.settled?.(reply.failures);
        return;
      case 'failed':
        this.forget(reply.job);
        job.fail(new Fault(reply.kind, reply.message));
        return;
      default:
        reply satisfies never;
    }
  }
}

/** A layer's bytes on their way to a worker, in parcels, with back pressure. */
export class UnpackStream {
  readonly #worker: PoolWorker;
  readonly #job: number;
  readonly #result: Promise<Unpacked>;
  readonly #free: ArrayBuffer[] = [];
  #parcel: ArrayBuffer | undefined;
  #filled = 0;
  #underWay = 0;
  /** The worker has failed: bytes are taken and dropped, `end` says why. */
  #dead = false;
  #room: (() => void) | undefined;

  constructor(worker: PoolWorker, directory: string, limits: ExtractLimits, diffAlgorithm: string) {
    this.#worker = worker;
    const { promise, resolve, reject } = Promise.withResolvers<Unpacked>();
    this.#result = promise;
    promise.catch(() => {
      this.#dead = true;
      this.#room?.();
    });
    this.#job = worker.begin({
      unpacked: (layer) => {
        resolve(layer);
        syncAhead(directory);
      },
      fail: reject,
      consumed: (buffer) => this.#consumed(buffer),
    });
    worker.post({ to: 'open', job: this.#job, directory, limits, diffAlgorithm });
  }

  /** Takes bytes (copied); resolves when there is room for more. */
  async write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length && !this.#dead;) {
      this.#parcel ??= this.#free.pop() ?? new ArrayBuffer(PARCEL);
      const part = bytes.subarray(done, done + PARCEL - this.#filled);
      Buffer.from(this.#parcel).set(part, this.#filled);
      this.#filled += part.length;
      done += part.length;
      if (this.#filled === PARCEL) this.#send();
      while (this.#underWay >= UNDER_WAY && !this.#dead)
        await new Promise<void>((resolve) => (this.#room = resolve));
    }
  }

  /** No more bytes. Rejects with the Fault of the layer that cannot be unpacked. */
  end(): Promise<Unpacked> {
    if (this.#filled > 0) this.#send();
    this.#worker.post({ to: 'end', job: this.#job });
    return this.#result;
  }

  abandon(): void {
    this.#worker.post({ to: 'abandon', job: this.#job });
    this.#worker.forget(this.#job);
  }

  #send(): void {
    const buffer = this.#parcel!;
    const length = this.#filled;
    this.#parcel = undefined;
    this.#filled = 0;
    this.#underWay++;
    this.#worker.post({ to: 'write', job: this.#job, buffer, length }, [buffer]);
  }

  #consumed(buffer: ArrayBuffer): void {
    this.#underWay--;
    this.#free.push(buffer);
    this.#room?.();
  }
}
