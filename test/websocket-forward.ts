import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';

/**
 * One forwarded port over a WebSocket (v4.channel.k8s.io): channel 0 is the data, channel 1 the errors, and the first
 * message of each is the port's number, two bytes.
 */
export function webSocketForward(url: string): Promise<Duplex> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), ['v4.channel.k8s.io'], {
    perMessageDeflate: false,
  });
  const heard = new Set<number>();
  const stream = new Duplex({
    readableHighWaterMark: 256 * 1024,
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) =>
      socket.send(Buffer.concat([Buffer.of(0), chunk]), () => done()),
    destroy: (error, done) => {
      socket.close();
      done(error);
    },
  });
  socket.on('message', (message: Buffer) => {
    const channel = message[0]!;
    if (!heard.has(channel)) heard.add(channel);
    else if (channel === 1) stream.destroy(new Error(message.subarray(1).toString()));
    else if (message.length > 1 && !stream.push(message.subarray(1))) socket.pause();
  });
  socket.on('close', () => stream.push(null));
  return new Promise((resolve, reject) => {
    // A refusal may come before anybody listens.
    stream.on('error', () => {});
    socket.once('open', () => resolve(stream));
    socket.once('error', reject);
  });
}
