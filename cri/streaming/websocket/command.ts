import { finished } from 'node:stream/promises';
import { TerminalSizes, type CommandWire } from '../command-wire.ts';
import type { CountStreams } from '../counts.ts';
import type { ChannelProtocol } from '../protocols.ts';
import type { WantedStreams } from '../spdy/command.ts';
import { Channels } from './channels.ts';
import type { WebSocketLink } from './link.ts';

/** The numbers of the channels of a command. */
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const NOTHING = new Uint8Array(0);

/** A command over WebSocket: all of its channels are there from the beginning. */
export function webSocketCommand(
  link: WebSocketLink,
  protocol: ChannelProtocol,
  wanted: WantedStreams,
  count?: CountStreams,
): CommandWire {
  const channels = new Channels(link, protocol, count);
  const sizes = new TerminalSizes();
  const error = channels.writer(ERROR);
  const stdout = wanted.stdout ? channels.writer(STDOUT) : undefined;
  const stderr = wanted.stderr ? channels.writer(STDERR) : undefined;
  const stdin = wanted.stdin ? channels.reader(STDIN) : undefined;
  channels.reader(RESIZE).on('data', (bytes: Buffer) => sizes.read(bytes));
  channels.listen();
  // Clients take an empty message on the lowest channel as the sign that the command is served.
  (stdout ?? stderr ?? error).write(NOTHING);
  return {
    protocol,
    stdin,
    stdout,
    stderr,
    error,
    sizes,
    gone: link.closed,
    async finish() {
      for (const writer of [stdout, stderr, error]) {
        if (writer === undefined || writer.destroyed) continue;
        await finished(writer.end()).catch(() => {}); // the client is gone
      }
      stdin?.resume();
      link.close();
      await link.over();
    },
  };
}
