/** The log, as pino offers it: fields first, then the message. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A log that keeps nothing: for tests and tools. */
export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
