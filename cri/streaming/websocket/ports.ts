import type { Streams } from '../../../pod/streams.ts';
import type { CountStreams } from '../counts.ts';
import { servePort } from '../port-session.ts';
import type { ChannelProtocol } from '../protocols.ts';
import { Channels } from './channels.ts';
import type { WebSocketLink } from './link.ts';

/**
 * Forwards ports over WebSocket: channels 2n and 2n+1 are data and error of the n-th port, one connection each, made
 * at once. The first message on each channel is the port's number, little endian. The end of the last connection ends
 * the session, for no message tells of the end of one.
 */
export async function webSocketPorts(
  link: WebSocketLink,
  protocol: ChannelProtocol,
  ports: number[],
  options: { streams: Streams; sandboxId: string; count?: CountStreams },
): Promise<void> {
  const channels = new Channels(link, protocol, options.count);
  const pairs = ports.map((port, index) => {
    const number = Buffer.from([port & 0xff, port >> 8]);
    const output = channels.writer(2 * index);
    const input = channels.reader(2 * index);
    const error = channels.writer(2 * index + 1);
    output.write(number);
    error.write(number);
    // The client cannot close its direction alone: when the pod has, the connection is over.
    output.once('finish', () => channels.close(2 * index));
    return { port, input, output, error };
  });
  channels.listen();
  await Promise.all(
    pairs.map(({ port, ...pair }) => servePort(options.streams, options.sandboxId, port, pair, link.closed)),
  );
  link.close();
  await link.over();
}
