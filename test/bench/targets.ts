import type { Results } from './results.ts';

/** One line of what Berth promises beside the peers. */
export interface Verdict {
  what: string;
  unit: string;
  berth: number;
  /** Absent for an absolute bound. */
  peer: { name: string; value: number } | undefined;
  /** Ratio to the peer, or the value itself for an absolute bound. */
  reached: number;
  bound: number;
  ok: boolean;
}

const BERTH = 'berth crun';
const RUNC = 'containerd runc';
const CRUN = 'containerd crun';

/** Holds what was measured against the targets; what was not measured has no verdict. */
export function verdicts({
  lifecycle,
  crowd,
  longList,
  pulls,
  pullBounds,
  network,
  streaming,
  starts,
}: Results): Verdict[] {
  const all: Verdict[] = [];
  const ratio = (
    what: string,
    unit: string,
    berth: number,
    name: string,
    value: number,
    bound: number,
  ): void => {
    const reached = berth / value;
    all.push({ what, unit, berth, peer: { name, value }, reached, bound, ok: reached <= bound });
  };
  const absolute = (what: string, unit: string, value: number, bound: number): void =>
    void all.push({ what, unit, berth: value, peer: undefined, reached: value, bound, ok: value <= bound });
  if (lifecycle !== undefined) {
    const bounds = [
      ['RunPodSandbox', RUNC, 0.06],
      ['pod start', RUNC, 0.15],
      ['pod start', CRUN, 0.3],
      ['pod stop and remove', RUNC, 0.15],
      ['pod stop and remove', CRUN, 0.25],
      ['ExecSync', RUNC, 0.2],
      ['ExecSync', CRUN, 0.8],
    ] as const;
    for (const [measure, peer, bound] of bounds) {
      const [berth, value] = [lifecycle[BERTH]![measure].p50, lifecycle[peer]![measure].p50];
      ratio(measure, 'ms', berth, peer, value, bound);
    }
  }
  if (crowd !== undefined) {
    const [berth, peer] = [crowd[BERTH]!, crowd[RUNC]!].map((one) => one.footprints.at(-1)!);
    ratio(`memory at ${berth!.pods} pods`, 'MiB', berth!.pss, RUNC, peer!.pss, 0.4);
    const { stallMs } = crowd[BERTH]!;
    if (stallMs !== undefined) absolute(`longest stall while ${berth!.pods} pods start`, 'ms', stallMs, 50);
  }
  if (longList !== undefined) absolute(`list of ${longList.containers} containers`, 'ms', longList.ms.p50, 6);
  for (const [compression, pull] of Object.entries(pulls ?? {})) {
    const bound = compression === 'zstd' ? 0.6 : 0.5;
    ratio(`pull, ${compression}`, 's', pull['berth']!.p50, 'containerd', pull['containerd']!.p50, bound);
  }
  if (pullBounds !== undefined) {
    absolute('bytes that five callers of one image cost', 'images', pullBounds.fetchedForFive, 1);
    absolute('longest stall while images are pulled', 'ms', pullBounds.stallMs, 50);
    absolute('memory that a pull of 2 GiB adds', 'MiB', pullBounds.growthMiB, 80);
    absolute('list of 1,000 images', 'ms', pullBounds.listMs, 10);
  }
  const release = starts?.['berth, release'];
  if (release !== undefined) {
    absolute('start to serving', 'ms', release.ms.p50, 250);
    absolute('memory at rest', 'MiB', release.residentMiB, 70);
  }
  if (network !== undefined) {
    const exec = 'the reference plugins';
    for (const [name, both] of Object.entries(network.cases)) {
      const [ours, theirs] = [both['in process'], both['by exec']];
      ratio(`attach, ${name}`, 'ms', ours.attach.p50, exec, theirs.attach.p50, name === 'plain' ? 0.1 : 0.2);
      ratio(`detach, ${name}`, 'ms', ours.detach.p50, exec, theirs.detach.p50, 0.1);
    }
    const { 'in process': ours, 'by exec': theirs } = network.crowd;
    ratio(`p99 of ${ours.samples} attaches at once`, 'ms', ours.p99, `${exec}' p50`, theirs.p50, 1);
    const { before, after, rules } = network.foreign;
    ratio(`attach beside ${rules} foreign rules`, 'ms', after.p50, 'without them', before.p50, 1.2);
  }
  if (streaming !== undefined) {
    const { output, mebibytes } = streaming;
    for (const way of ['spdy', 'websocket'] as const)
      ratio(
        `${mebibytes} MiB of output, ${way}`,
        's',
        output[way].wall.p50,
        'crun exec to a pipe',
        output.pipe.wall.p50,
        2,
      );
  }
  return all;
}
