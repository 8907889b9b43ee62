import { mkdirSync } from 'node:fs';
import { Fault } from '../../ground/fault.ts';
import { SILENT } from '../../ground/log.ts';
import { NO_STAGES } from '../../ground/stages.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { checkAll, type CheckReport } from '../check.ts';
import { loadConfig } from '../config/load.ts';
import { lockDirectory } from '../lock.ts';
import { bootIdOf, openImageRoom, openRecords } from '../open-store.ts';
import { withDaemon } from './daemon-client.ts';
import { table } from './text.ts';

interface Options {
  config?: string;
  repair?: boolean;
  json?: boolean;
}

/**
 * `berth check`: holds the records against kernel and store, by the running daemon, or by itself when none runs.
 * Throws Fault `precondition` when something is wrong and was not repaired, after it has said what.
 */
export async function check(options: Options): Promise<void> {
  const repair = options.repair === true;
  const report = await checkByDaemon(options.config, repair).catch((error: unknown) => {
    if (error instanceof Fault && error.kind === 'unavailable') return checkAlone(options.config, repair);
    throw error;
  });
  process.stdout.write(
    options.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : checkText(report),
  );
  const left = report.pods.length + report.store.findings.filter(({ repaired }) => !repaired).length;
  if (left > 0)
    throw new Fault('precondition', `${left} things are not as they should be`, { hint: hintFor(report) });
}

/** The report for people. */
export function checkText({ live, pods, store }: CheckReport): string {
  const rows = [
    ...pods.map(({ kind, id, problem }) => [kind, id, problem, '']),
    ...store.findings.map(({ kind, id, problem, repaired }) => [
      kind,
      id,
      problem,
      repaired ? 'repaired' : '',
    ]),
  ];
  const unread = store.unverifiable === 0 ? '' : `, ${store.unverifiable} cannot be compared with anything`;
  const lost = store.findings.some(({ kind, repaired }) => kind === 'image' && repaired);
  const next = lost ? 'Pull the images again that are no longer listed, or load their archives.\n' : '';
  const head = `${live ? 'The running daemon looked.' : 'No daemon runs.'} ${store.verified} layers are whole${unread}.\n`;
  return (
    head + (rows.length === 0 ? 'Nothing is wrong.\n' : table(['WHAT', 'ID', 'PROBLEM', ''], rows)) + next
  );
}

function hintFor({ pods, store }: CheckReport): string {
  if (store.findings.some(({ repaired }) => !repaired))
    return 'berth check --repair sets damaged layers aside and forgets their images, so that the next pull makes them anew';
  if (pods.some(({ kind }) => kind !== 'debt'))
    return 'the next start of the daemon brings records and kernel together';
  return 'debts are tried again by the daemon';
}

async function checkByDaemon(file: string | undefined, repair: boolean): Promise<CheckReport> {
  const { json } = await withDaemon(file, (client) => client.call('Check', { repair }));
  return JSON.parse(json) as CheckReport;
}

/** Takes the daemon's place for the time of the check. */
async function checkAlone(file: string | undefined, repair: boolean): Promise<CheckReport> {
  const { config } = loadConfig(file);
  await using parts = new AsyncDisposableStack();
  for (const directory of [config.root, config.state]) {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    parts.use(lockDirectory(directory));
  }
  const records = parts.adopt(openRecords(config), (one) => one.close());
  const exits = parts.adopt(await ExitWatcher.start(), (one) => one.close());
  const bootId = bootIdOf(process.env);
  const room = { records, exits, stages: NO_STAGES, log: SILENT, bootId, inspectOnly: !repair };
  const images = parts.adopt(await openImageRoom(config, room), (one) => one.close());
  const never = new AbortController();
  return await checkAll(
    { records, images, state: config.state, live: false },
    { repair, signal: never.signal },
  );
}
