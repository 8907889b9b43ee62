import type { NetworkStatus } from '../../network/pod-network.ts';
import type { DaemonCensus } from '../census.ts';
import type { DiskSpace } from '../disk-space.ts';
import { withDaemon } from './daemon-client.ts';
import { bytes, duration, table } from './text.ts';

/** How soon the daemon has to answer. */
const PATIENCE_MS = 5000;

/** `berth status`: what the running daemon does, owes and cannot do. */
export async function status(options: { config?: string; json?: boolean }): Promise<void> {
  const { json } = await withDaemon(options.config, (client) =>
    client.call('Census', {}, { deadlineMs: PATIENCE_MS }),
  );
  const census = JSON.parse(json) as DaemonCensus;
  process.stdout.write(
    options.json === true ? `${JSON.stringify(census, undefined, 2)}\n` : statusText(census, Date.now()),
  );
}

/** The census for people. `nowMs` is the time of asking. */
export function statusText(census: DaemonCensus, nowMs: number): string {
  const { sandboxes, containers, network } = census;
  const facts = [
    [
      'Berth',
      `${census.version}, pid ${census.pid}, up ${duration(nowMs - Date.parse(census.startedAt))}, ${bytes(census.memoryBytes)}`,
    ],
    ['Pods', `${sandboxes.ready} ready, ${sandboxes.notready} not ready`],
    [
      'Containers',
      Object.entries(containers)
        .map(([state, count]) => `${count} ${state}`)
        .join(', '),
    ],
    ['Images', String(census.images)],
    ['Processes', `${census.children} watched`],
    ['Network', network.ready ? 'ready' : `not ready: ${network.message || network.reason}`],
    ...overlayFacts(network.overlay),
    ['Cgroups', census.cgroupDriver],
    ...configurationFacts(census.configuration),
    ...(census.disk === undefined ? [] : [['Disk', diskText(census.disk)]]),
    ...urlFacts(census.urls),
  ];
  const wide = Math.max(...facts.map(([name]) => name!.length));
  return [
    facts.map(([name, text]) => `${name!.padEnd(wide)}   ${text}\n`).join(''),
    section('Handlers', ['NAME', 'VERSION', 'STATE'], census.handlers.map(handlerRow)),
    section(
      'Peers (nodes that the VXLAN leads to)',
      ['NODE', 'ADDRESS', 'PODS'],
      (network.overlay?.peers ?? []).map(({ name, address, podCidrs }) => [
        name,
        address,
        podCidrs.join(', '),
      ]),
    ),
    section(
      'Nodes that the VXLAN cannot lead to',
      ['NODE', 'WHY'],
      (network.overlay?.refused ?? []).map(({ name, why }) => [name, why]),
    ),
    section(
      'In flight',
      ['OPERATION', 'OBJECT', 'STAGE', 'SINCE'],
      census.inFlight.map(({ operation, id, stage, sinceMs }) => [
        operation,
        short(id),
        stage,
        duration(sinceMs),
      ]),
    ),
    section('Pulls', ['IMAGE', 'STAGE', 'LAYERS', 'BYTES', 'SINCE'], census.pulls.map(pullRow)),
    section(
      'Debts (undo steps that failed and are tried again)',
      ['OBJECT', 'WHAT', 'SINCE', 'TRIES', 'LAST ERROR'],
      census.debts.map(({ id, kind, since, tries, lastError }) => [
        short(id),
        kind,
        duration(nowMs - Date.parse(since)),
        String(tries),
        lastError,
      ]),
    ),
    section(
      'Quarantined records',
      ['KIND', 'ID', 'REASON'],
      census.quarantined.map(({ kind, id, reason }) => [kind, short(id), reason]),
    ),
    section(
      'Lately',
      ['SINCE', 'WHAT'],
      census.notices.map(({ at, message }) => [duration(nowMs - Date.parse(at)), message]),
    ),
  ].join('');
}

/** The page for people; where there is none, at least the metrics. */
function urlFacts({ metrics, page }: DaemonCensus['urls']): string[][] {
  if (page !== '') return [['Page', page]];
  return metrics === '' ? [] : [['Metrics', metrics]];
}

function diskText({ path, bytesTotal, bytesFree, inodesTotal, inodesFree }: DiskSpace): string {
  const inodes = inodesTotal === 0 ? '' : `, ${Math.floor((100 * inodesFree) / inodesTotal)} % of its inodes`;
  return `${bytes(bytesFree)} of ${bytes(bytesTotal)} free${inodes} (${path})`;
}

/** Only what somebody has to see to. */
function configurationFacts({ needRestart, trouble }: DaemonCensus['configuration']): string[][] {
  return [
    ...(trouble === '' ? [] : [['Configuration', `not read again: ${trouble.replaceAll(/\s*\n\s*/g, ' ')}`]]),
    ...(needRestart.length === 0
      ? []
      : [['Waits', `for a restart of the daemon: ${needRestart.join(', ')}`]]),
  ];
}

function overlayFacts(overlay: NetworkStatus['overlay']): string[][] {
  if (overlay === undefined) return [];
  const { node, link, address, podCidrs, mtu, apiTrouble } = overlay;
  return [
    [
      'VXLAN',
      `node ${node}, ${podCidrs.join(', ') || 'no range'}, ${link} at ${address || 'no address'}, MTU ${mtu}`,
    ],
    ['API server', apiTrouble === '' ? 'followed' : apiTrouble],
  ];
}

function pullRow({ image, stage, progress, sinceMs }: DaemonCensus['pulls'][number]): string[] {
  if (progress === undefined) return [image, stage, '-', '-', duration(sinceMs)];
  const { layersDone, layersTotal, bytesDone, bytesTotal } = progress;
  return [
    image,
    stage,
    `${layersDone} of ${layersTotal}`,
    `${bytes(bytesDone)} of ${bytes(bytesTotal)}`,
    duration(sinceMs),
  ];
}

function handlerRow({
  name,
  version,
  usable,
  reason,
  isDefault,
}: DaemonCensus['handlers'][number]): string[] {
  const state = usable ? 'usable' : `not usable: ${reason}`;
  return [isDefault ? `${name} (default)` : name, version || '-', state];
}

function section(title: string, head: string[], rows: string[][]): string {
  return rows.length === 0 ? '' : `\n${title}\n${table(head, rows).replace(/^(?=.)/gm, '  ')}`;
}

/** Ids are shown as crictl does. */
function short(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 13) : id;
}
