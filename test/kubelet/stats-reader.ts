import type { Book } from './book.ts';
import type { Ledger } from './ledger.ts';
import type { Line } from './line.ts';

/** What a kubelet reads every ten seconds: statistics, metrics, the file system of the images. */
export class StatsReader {
  readonly #line: Line;
  readonly #book: Book;
  readonly #ledger: Ledger;
  /** The last processor time and its moment, by container. */
  #last = new Map<string, { usage: bigint; at: bigint }>();

  constructor(line: Line, book: Book, ledger: Ledger) {
    this.#line = line;
    this.#book = book;
    this.#ledger = ledger;
  }

  async look(): Promise<void> {
    await this.#containers();
    await this.#sandboxes();
    await this.#metrics();
    await this.#imageFileSystem();
  }

  async #containers(): Promise<void> {
    const steady = [...this.#ledger.containers.values()].filter(
      ({ started, endedBy, container }) => started && endedBy === undefined && container.role !== 'init',
    );
    const { stats } = await this.#line.call('ListContainerStats', {});
    const told = new Set(stats.map(({ attributes }) => attributes?.id));
    const now = new Map<string, { usage: bigint; at: bigint }>();
    for (const { attributes, cpu, memory } of stats) {
      if (attributes === null || attributes.metadata === null || attributes.id === '') {
        this.#book.complain('statistics do not say whose they are', String(attributes?.id));
        continue;
      }
      if (cpu === null) continue; // it has ended meanwhile
      const usage = cpu.usageCoreNanoSeconds?.value ?? 0n;
      if (cpu.timestamp <= 0n) this.#book.complain('statistics have no time', attributes.id);
      const before = this.#last.get(attributes.id);
      if (before !== undefined && (usage < before.usage || cpu.timestamp < before.at))
        this.#book.complain('processor time went back', attributes.id);
      if (memory !== null && (memory.workingSetBytes?.value ?? 0n) < 0n)
        this.#book.complain('memory below nothing', attributes.id);
      now.set(attributes.id, { usage, at: cpu.timestamp });
    }
    this.#last = now;
    for (const { id, endedBy, container } of steady)
      if (!told.has(id) && endedBy === undefined && container.exits.length === 1 && container.exits[0] === 0)
        if (this.#ledger.containers.has(id)) this.#book.complain('a container has no statistics', id);
  }

  async #sandboxes(): Promise<void> {
    const { stats } = await this.#line.call('ListPodSandboxStats', {});
    for (const { attributes, linux } of stats) {
      if (!attributes?.metadata?.uid) this.#book.complain('pod statistics do not say whose they are', '');
      for (const one of linux?.containers ?? [])
        if (!one.attributes?.id) this.#book.complain('pod statistics hold a container without an id', '');
    }
  }

  /** Each metric has to have been described, with as many labels as it has values. */
  async #metrics(): Promise<void> {
    const { descriptors } = await this.#line.call('ListMetricDescriptors', {});
    const labels = new Map(descriptors.map(({ name, labelKeys }) => [name, labelKeys.length]));
    const { podMetrics } = await this.#line.call('ListPodSandboxMetrics', {});
    for (const { podSandboxId, metrics, containerMetrics } of podMetrics)
      for (const { name, labelValues } of [...metrics, ...containerMetrics.flatMap((one) => one.metrics)])
        if (labels.get(name) !== labelValues.length)
          this.#book.complain('a metric is not as it was described', `${name} of ${podSandboxId}`);
  }

  async #imageFileSystem(): Promise<void> {
    const { imageFilesystems } = await this.#line.call('ImageFsInfo', {});
    const [first] = imageFilesystems;
    if (!first?.fsId?.mountpoint || first.timestamp <= 0n || (first.usedBytes?.value ?? 0n) <= 0n)
      this.#book.complain('ImageFsInfo does not tell of the images', String(first?.fsId?.mountpoint));
  }
}
