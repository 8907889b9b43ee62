import assert from 'node:assert/strict';
import { createHash, type Hash } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { podServer } from '../pod-server.ts';
import { runPod } from '../pods.ts';
import { TRANSPORTS, type Transport } from '../streams.ts';
import { useStreams } from '../use-streams.ts';
import { webSocketForward } from '../websocket-forward.ts';

const GIB = 1024 ** 3;
const FOREVER = ['sleep', '100000'];
/** Of what `chunks` gives. */
let sha256OfGib = '';
/** Of `seq 1 2000000`. */
const SEQUENCE = { bytes: 14_888_896, sha256: '' };

describe('streams lose nothing', function () {
  this.timeout(300_000);
  const suite = useStreams();
  before(() => {
    const hash = createHash('sha256');
    for (let i = 1; i <= 2_000_000; i++) hash.update(`${i}\n`);
    SEQUENCE.sha256 = hash.digest('hex');
    const gib = createHash('sha256');
    for (const chunk of chunks(GIB)) gib.update(chunk);
    sha256OfGib = gib.digest('hex');
  });

  for (const transport of TRANSPORTS) {
    it(`in a GiB through a command, over ${transport}`, async () => {
      const { container } = await runPod(suite.node, 'gib', FOREVER);
      const options = { stdin: true, stderr: false };
      const command =
        transport === 'SPDY'
          ? await suite.streams.exec(container, ['cat'], options)
          : await suite.streams.webSocketExec(container, ['cat'], options);
      await throughAndBack(command.stdin!, command.stdout!);
      assert.equal(await command.exitCode(), 0);
    });

    it(`in a GiB through a forwarded port, over ${transport}`, async () => {
      const { sandbox } = await runPod(suite.node, 'port', FOREVER);
      await using _server = await podServer(suite.node, sandbox, 7200);
      if (transport === 'SPDY') {
        const client = await suite.streams.forward(sandbox);
        const { data } = client.open(7200);
        await throughAndBack(data, data);
        client.client.close();
        return;
      }
      const forward = await webSocketForward(await suite.streams.forwardUrl(sandbox, [7200]));
      // This protocol cannot say that one direction is over.
      await throughAndBack(forward, forward, { halfClose: false });
      forward.destroy();
    });
  }

  it('over a slow link, a hundred times', async () => {
    const { container } = await runPod(suite.node, 'slow', FOREVER);
    // A narrow link: the daemon has to hold the command back, over and over.
    const link = ['tc', 'qdisc', 'replace', 'dev', 'lo', 'root', 'tbf', 'rate', '400mbit', 'burst', '128kb'];
    await suite.node.exec([...link, 'latency', '20ms']);
    try {
      const one = async (transport: Transport): Promise<void> => {
        const command =
          transport === 'SPDY'
            ? await suite.streams.exec(container, ['seq', '1', '2000000'])
            : await suite.streams.webSocketExec(container, ['seq', '1', '2000000']);
        const { bytes, hash } = await digest(command.stdout!);
        assert.deepEqual({ bytes, sha256: hash.digest('hex') }, SEQUENCE);
        assert.equal(await command.exitCode(), 0);
      };
      for (let round = 0; round < 25; round++)
        await Promise.all(TRANSPORTS.flatMap((transport) => [one(transport), one(transport)]));
    } finally {
      await suite.node.exec(['tc', 'qdisc', 'del', 'dev', 'lo', 'root']);
    }
  });
});

/** Bytes that repeat late. */
function* chunks(size: number): Generator<Buffer> {
  const pattern = Buffer.alloc(1_000_003);
  for (let i = 0; i < pattern.length; i++) pattern[i] = (i * 2_654_435_761) >>> 24;
  for (let written = 0; written < size;) {
    const start = written % pattern.length;
    const end = Math.min(pattern.length, start + 128 * 1024, start + size - written);
    written += end - start;
    yield pattern.subarray(start, end);
  }
}

/** Writes a GiB, and compares what comes back. */
async function throughAndBack(stdin: Writable, stdout: Readable, { halfClose = true } = {}): Promise<void> {
  const receiving = digest(stdout, GIB);
  for (const chunk of chunks(GIB))
    if (!stdin.write(chunk)) await new Promise((resolve) => stdin.once('drain', resolve));
  if (halfClose) stdin.end();
  const { bytes, hash } = await receiving;
  assert.equal(bytes, GIB);
  assert.equal(hash.digest('hex'), sha256OfGib);
}

/** Reads to the end, or until `size` bytes have come. */
async function digest(stream: Readable, size = Infinity): Promise<{ bytes: number; hash: Hash }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes >= size) break;
  }
  return { bytes, hash };
}
