import pino from 'pino';
import type { Log } from '../ground/log.ts';
import type { Config } from './config/schema.ts';

/** The daemon's log, with a level that can change while it runs. */
export interface DaemonLog extends Log {
  level: string;
  flush(): void;
}

/**
 * Opens the log on standard output: one JSON object a line, or a line for people. Lines are written together when the
 * event loop has time; `flush` writes what is left.
 */
export function openLog({ level, format }: Config['log']): DaemonLog {
  const options = {
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (format === 'json') return pino(options, pino.destination({ fd: 1, sync: false }));
  return pino(options, { write: (line: string) => void process.stdout.write(forPeople(line)) });
}

/** `12:34:56.789 info  The daemon is ready  socket=/run/berth/berth.sock` */
export function forPeople(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([key, value]) => `  ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)}${rest.join('')}\n`;
}
