import type { Config } from './config/schema.ts';
import type { DaemonLog } from './daemon-log.ts';
import { JournalLog, type JournalSocket } from './systemd/journal.ts';

/**
 * Opens the log: in the journal's own fields where `journal` is given and the configuration does not say otherwise, else
 * on standard output, one JSON object a line, or a line for people. Lines on standard output are written together when
 * the event loop has time; `flush` writes what is left.
 */
export async function openLog({ level, format }: Config['log'], journal?: JournalSocket): Promise<DaemonLog> {
  if (format === 'auto' && journal !== undefined) return new JournalLog(journal, level);
  const { pino } = await import('pino');
  const options = {
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const people = { write: (line: string) => void process.stdout.write(forPeople(line)) };
  const log: DaemonLog = pino(options, format === 'text' ? people : pino.destination({ fd: 1, sync: false }));
  return log;
}

/** `12:34:56.789 info  The daemon is ready  socket=/run/berth/berth.sock` */
export function forPeople(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([key, value]) => `  ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)}${rest.join('')}\n`;
}
