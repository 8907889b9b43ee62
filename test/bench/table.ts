import { LIFE_MEASURES } from './lifecycle.ts';
import { LIST_CALLS } from './lists.ts';
import type { Quantiles } from './quantiles.ts';
import type { Results } from './results.ts';
import type { Verdict } from './targets.ts';

/** The results as text for people: one table a part, the ratio of Berth to each peer behind the peer's figure. */
export function renderResults(results: Results): string {
  const parts = [machineLine(results)];
  if (results.lifecycle !== undefined) parts.push(lifecycleTable(results.lifecycle));
  if (results.concurrency !== undefined) parts.push(concurrencyTable(results.concurrency));
  if (results.crowd !== undefined) parts.push(memoryTable(results.crowd), listTable(results.crowd));
  if (results.pulls !== undefined) parts.push(pullTable(results.pulls));
  if (results.network !== undefined) parts.push(networkTable(results.network));
  if (results.streaming !== undefined) parts.push(streamingTable(results.streaming));
  if (results.starts !== undefined) parts.push(startTable(results.starts));
  return parts.join('\n\n');
}

/** One line a target: what was reached, what was promised, ok or missed. */
export function renderVerdicts(all: Verdict[]): string {
  const rows = all.map(({ what, unit, berth, peer, reached, bound, ok }) => [
    what,
    peer === undefined ? 'absolute' : `against ${peer.name}`,
    peer === undefined ? `${figure(berth)} ${unit}` : `${figure(berth)} / ${figure(peer.value)} ${unit}`,
    peer === undefined ? `${figure(reached)} ${unit}` : reached.toFixed(3),
    peer === undefined ? `≤ ${bound} ${unit}` : `≤ ${bound}`,
    ok ? 'ok' : 'missed',
  ]);
  return grid('targets', ['measured', 'reached', 'target', ''], rows, 2);
}

function machineLine({ date, machine }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const hardware = `${machine.cpus} × ${machine.cpu}, ${machine.memoryMiB} MiB, Linux ${machine.kernel}`;
  return `${date}  ${hardware}\n${versions.join(', ')}`;
}

function lifecycleTable(lifecycle: NonNullable<Results['lifecycle']>): string {
  const names = Object.keys(lifecycle);
  const rows = LIFE_MEASURES.map((measure) => {
    const cell = ({ p50, p90 }: Quantiles): string => `${figure(p50)} / ${figure(p90)}`;
    const measured = names.map((name) => lifecycle[name]![measure]);
    return [measure, ...measured.map(cell), ...ratios(measured.map(({ p50 }) => p50))];
  });
  return grid('call, p50 / p90 ms', heads(names), rows);
}

function concurrencyTable({ lives, atOnce, seconds }: NonNullable<Results['concurrency']>): string {
  const wall = Object.values(seconds);
  const row = [`${lives} lives, ${atOnce} at once`, ...wall.map(figure), ...ratios(wall)];
  return grid('wall time, s', heads(Object.keys(seconds)), [row]);
}

function startTable(starts: NonNullable<Results['starts']>): string {
  const rows = Object.entries(starts).map(([name, { ms, residentMiB, anonymousMiB }]) => [
    name,
    `${figure(ms.p50)} / ${figure(ms.p90)}`,
    `${figure(residentMiB)} (${figure(anonymousMiB)})`,
  ]);
  const head = ['start to serving, p50 / p90 ms', 'at rest, MiB resident (anonymous)'];
  return grid('daemon without pods', head, rows);
}

function memoryTable(crowd: NonNullable<Results['crowd']>): string {
  const all = Object.values(crowd);
  const rows = all[0]!.footprints.map(({ pods }, i) => {
    const footprints = all.map((one) => one.footprints[i]!);
    const cells = footprints.map(
      ({ pss, anonymous, daemon, processes }) =>
        `${figure(pss)} (${figure(anonymous)}; ${figure(daemon)}; ${processes})`,
    );
    return [`${pods} pods`, ...cells, ...ratios(footprints.map(({ pss }) => pss))];
  });
  const starts = all.map(({ startSeconds }) => startSeconds);
  rows.push(['start of all, s', ...starts.map(figure), ...ratios(starts)]);
  return `${grid('PSS MiB (anonymous; daemon; processes)', heads(Object.keys(crowd)), rows)}
counted: daemon, shims, monitors, pauses; not counted: the containers' own processes, the registry, kernel memory
weighed 12 s after the last start, when each daemon has come to rest; Berth after a first start that compiled it`;
}

function listTable(crowd: NonNullable<Results['crowd']>): string {
  const all = Object.values(crowd);
  const rows = LIST_CALLS.map((call) => {
    const medians = all.map(({ lists }) => lists[call]?.p50);
    return [call, ...medians.map(figure), ...ratios(medians)];
  });
  const pods = all[0]!.footprints.at(-1)!.pods;
  return grid(`at ${pods} pods, p50 ms`, heads(Object.keys(crowd)), rows);
}

function pullTable(pulls: NonNullable<Results['pulls']>): string {
  const kinds = Object.entries(pulls);
  const rows = kinds.map(([compression, pull]) => {
    const medians = Object.values(pull).map(({ p50 }) => p50);
    return [compression, ...medians.map(figure), ...ratios(medians)];
  });
  return grid('cold pull, p50 s', heads(Object.keys(kinds[0]?.[1] ?? {})), rows);
}

function networkTable({ cases }: NonNullable<Results['network']>): string {
  const ways = ['in process', 'by exec'] as const;
  const rows = Object.entries(cases).flatMap(([name, both]) => [
    ...(['attach', 'detach'] as const).map((verb) => {
      const measured = ways.map((way) => both[way][verb]);
      const cell = ({ p50, p90 }: Quantiles): string => `${figure(p50)} / ${figure(p90)}`;
      return [`${verb}, ${name}`, ...measured.map(cell), ...ratios(measured.map(({ p50 }) => p50))];
    }),
    [
      `attach, ${name}, mean CPU`,
      ...ways.map((way) => figure(both[way].cpu)),
      ...ratios(ways.map((way) => both[way].cpu)),
    ],
  ]);
  return grid('one CNI list, p50 / p90 ms', heads([...ways]), rows);
}

function streamingTable(streaming: NonNullable<Results['streaming']>): string {
  const rows = (['output', 'input'] as const).flatMap((direction) => {
    const { pipe, ...ours } = streaming[direction];
    return Object.entries(ours).map(([way, { wall, cpu }]) => [
      `${direction}, ${way}`,
      ...[wall.p50, pipe.wall.p50].map(figure),
      (pipe.wall.p50 / wall.p50).toFixed(3),
      figure(cpu),
    ]);
  });
  const columns = ['berth', 'crun exec to a pipe', 'throughput', 'CPU s/GiB of the daemon'];
  return grid(`streams of ${streaming.mebibytes} MiB, p50 s`, columns, rows);
}

/** A column for each of `names` and, behind them, one for the ratio of the first to each other. */
function heads(names: string[]): string[] {
  return [...names, ...names.slice(1).map((name) => `: ${name}`)];
}

/** The first value's ratio to each other one. */
function ratios([own, ...peers]: (number | undefined)[]): string[] {
  return peers.map((peer) => (own === undefined || peer === undefined ? '–' : (own / peer).toFixed(3)));
}

/** Three significant digits; a dash for what was not measured. */
function figure(value: number | undefined): string {
  if (value === undefined) return '–';
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Columns aligned: the first `left` to the left, the others to the right. */
function grid(title: string, columns: string[], rows: string[][], left = 1): string {
  const width = Math.max(...rows.map((row) => row.length));
  const head = [title, ...Array.from({ length: width - 1 - columns.length }, () => ''), ...columns];
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => (column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  text.splice(1, 0, '-'.repeat(Math.max(...text.map((line) => line.length))));
  return text.join('\n');
}
