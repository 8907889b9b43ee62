/** Well-known error codes (CNI specification 1.1, section 5, "Error"). */
export const CNI_ERROR = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decoding: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  /** STATUS: cannot serve ADD. */
  unavailable: 50,
  /** STATUS: cannot serve ADD, and pods that run may have lost connectivity. */
  unavailableLimited: 51,
  /** Ours, for what has no code of its own. */
  failed: 100,
} as const;

/** What a plugin said when it failed. */
export class PluginError extends Error {
  readonly plugin: string;
  /** `CNI_ERROR`, or a number from 100 on that is the plugin's own. */
  readonly code: number;
  readonly msg: string;
  readonly details: string;

  constructor(plugin: string, code: number, msg: string, details = '') {
    super(`code ${code}: ${msg}${details === '' ? '' : ` (${details})`}`);
    this.name = 'PluginError';
    this.plugin = plugin;
    this.code = code;
    this.msg = msg;
    this.details = details;
  }
}
