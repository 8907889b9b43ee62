/** What systemd gives to a service by its environment (systemd.exec(5), sd_notify(3), sd_watchdog_enabled(3)). */
export interface ServiceEnvironment {
  /** Address of the socket that hears how the service is; undefined: nobody asked. */
  notifySocket: string | undefined;
  /** The service is ended when it says nothing for so many milliseconds; undefined: no watchdog. */
  watchdogMs: number | undefined;
  /** `device:inode` of the stream to the journal that standard output or standard error is. */
  journalStream: string | undefined;
}

const OURS = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'JOURNAL_STREAM',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
] as const;

/**
 * Reads what systemd says and takes it out of the environment: a plugin or a monitor that found it would speak in the
 * daemon's name. A watchdog that is meant for another process (`WATCHDOG_PID`) is none.
 */
export function takeServiceEnvironment(
  environment: Record<string, string | undefined>,
  pid = process.pid,
): ServiceEnvironment {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, JOURNAL_STREAM } = environment;
  for (const name of OURS) delete environment[name];
  const usec = Number(WATCHDOG_USEC ?? '');
  const watched = usec > 0 && Number.isSafeInteger(usec) && (!WATCHDOG_PID || WATCHDOG_PID === String(pid));
  return {
    notifySocket: NOTIFY_SOCKET || undefined,
    watchdogMs: watched ? usec / 1000 : undefined,
    journalStream: JOURNAL_STREAM || undefined,
  };
}
