/*
 * The protocols of k8s.io/apimachinery and client-go on top of SPDY and WebSocket, each list with the newest first.
 *
 *     v1 stdin, stdout, stderr, error    v3 resize as well
 *     v2 the same, sound in its errors   v4 JSON status with exit code
 *                                        v5 half close of stdin over WebSocket
 */

/** A version of the remote command protocol. */
export interface CommandProtocol {
  name: string;
  version: 1 | 2 | 3 | 4 | 5;
}

/** Over SPDY. */
export const SPDY_COMMAND_PROTOCOLS: readonly CommandProtocol[] = [
  { name: 'v5.channel.k8s.io', version: 5 },
  { name: 'v4.channel.k8s.io', version: 4 },
  { name: 'v3.channel.k8s.io', version: 3 },
  { name: 'v2.channel.k8s.io', version: 2 },
  { name: 'channel.k8s.io', version: 1 },
];

/** A way to put channels into the messages of a WebSocket. */
export interface ChannelProtocol extends CommandProtocol {
  base64: boolean;
}

/** Commands over WebSocket. A client that names none means the oldest. */
export const WEBSOCKET_COMMAND_PROTOCOLS: readonly ChannelProtocol[] = [
  { name: 'v5.channel.k8s.io', version: 5, base64: false },
  { name: 'v4.channel.k8s.io', version: 4, base64: false },
  { name: 'v4.base64.channel.k8s.io', version: 4, base64: true },
  { name: 'channel.k8s.io', version: 1, base64: false },
  { name: 'base64.channel.k8s.io', version: 1, base64: true },
];
export const UNNAMED_CHANNELS: ChannelProtocol = { name: '', version: 1, base64: false };

/** Ports over SPDY. */
export const SPDY_PORT_PROTOCOLS = [{ name: 'portforward.k8s.io' }] as const;

/** SPDY in the binary messages of a WebSocket, for ports. */
export const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';

/** Ports over WebSocket, a pair of channels each. */
export const WEBSOCKET_PORT_PROTOCOLS: readonly ChannelProtocol[] = [
  { name: TUNNEL_PROTOCOL, version: 4, base64: false },
  { name: 'v4.channel.k8s.io', version: 4, base64: false },
  { name: 'v4.base64.channel.k8s.io', version: 4, base64: true },
];

/** The best protocol that the client offers too; undefined when there is none. */
export function choose<P extends { name: string }>(
  offered: readonly string[],
  known: readonly P[],
): P | undefined {
  return known.find(({ name }) => offered.includes(name));
}

/** The values of a header that may come several times, and hold several values parted by commas. */
export function listed(header: string | string[] | undefined): string[] {
  return [header ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}
