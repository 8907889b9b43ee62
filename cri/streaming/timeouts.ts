/** How long the streaming server waits for what. */
export interface Timeouts {
  /** From the connection to the end of the request to upgrade, however slowly it comes. */
  handshakeMs: number;
  /** A session without a byte in either direction. */
  idleMs: number;
  /** The client's streams after the handshake, and the second stream of a forwarded connection. */
  creationMs: number;
  /** The client's leave after the end of its command. */
  lingerMs: number;
}

/** As the kubelet's streaming library has them; `lingerMs` is Berth's own. */
export const TIMEOUTS: Timeouts = {
  handshakeMs: 10_000,
  idleMs: 4 * 3_600_000,
  creationMs: 30_000,
  lingerMs: 600_000,
};
