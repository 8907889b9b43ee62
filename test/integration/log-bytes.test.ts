import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../../cri/client.ts';
import { storeSmallImages, BUSYBOX_IMAGE } from '../bench/images.ts';
import { pullImage } from '../bench/pod.ts';
import { startContainerd } from '../bench/peers/containerd.ts';
import { removeCgroups } from '../node-space.ts';
import { loggedStreams, type LogRecord } from '../log-records.ts';
import { ContainerState, eventually, runPod, statusOf, waitForExit } from '../pods.ts';
import { useNode } from '../use-node.ts';

type Stream = LogRecord['stream'];
const STREAMS: Stream[] = ['stdout', 'stderr'];
const ROUNDS = 4;

/** Writes the pieces of both streams at once, each by a write of its own (`cat` of a small file), some after a pause. */
const REPLAY = `
replay() {
  for piece in /in/$1-*; do
    case $piece in *-slow) sleep 0.02;; esac
    cat $piece
  done
}
replay stdout & replay stderr >&2; wait`;

/** What a container is to write, in pieces that are cut anywhere. */
interface Input {
  directory: string;
  whole: Record<Stream, Buffer>;
}

/** Lines of any length and any bytes: mostly short ones, some longer than all buffers, with `\r`, `\0` and bare UTF-8. */
function randomLines(): Buffer {
  const parts: Buffer[] = [];
  for (let line = 0; line < 300; line++) {
    const longest = [2, 80, 500, 20_000, 100_000][randomInt(50) === 0 ? 4 : randomInt(4)]!;
    const bytes = randomBytes(randomInt(longest));
    for (let at = 0; at < bytes.length; at++) if (bytes[at] === 0x0a) bytes[at] = 0x0d;
    parts.push(bytes, Buffer.from(['\n', '\r\n', '\n\n', 'ä€😀\n'][randomInt(4)]!));
  }
  // A last line without an end.
  if (randomInt(2) === 0) parts.push(Buffer.from('tail'));
  return Buffer.concat(parts);
}

function writeInput(directory: string): Input {
  mkdirSync(directory, { recursive: true });
  const whole = { stdout: randomLines(), stderr: randomLines() };
  for (const stream of STREAMS) {
    const bytes = whole[stream];
    for (let at = 0, piece = 0; at < bytes.length; piece++) {
      const end = Math.min(bytes.length, at + 1 + randomInt([10, 5000, 40_000][randomInt(3)]!));
      const name = `${stream}-${String(piece).padStart(5, '0')}${randomInt(20) === 0 ? '-slow' : ''}`;
      writeFileSync(join(directory, name), bytes.subarray(at, end));
      at = end;
    }
  }
  return { directory, whole };
}

/** Compares without printing megabytes. */
function assertBytes(what: string, found: Buffer, wanted: Buffer): void {
  if (found.equals(wanted)) return;
  let at = 0;
  while (at < found.length && found[at] === wanted[at]) at++;
  const around = (bytes: Buffer): string => bytes.subarray(Math.max(0, at - 20), at + 20).toString('hex');
  assert.fail(
    `${what}: ${found.length} of ${wanted.length} bytes, other from byte ${at} on: ${around(found)}, not ${around(wanted)}`,
  );
}

describe('a log holds the bytes that were written', () => {
  const suite = useNode();

  it(`${ROUNDS} random inputs, both streams at once, cut anywhere`, async () => {
    const { node } = suite;
    for (let round = 0; round < ROUNDS; round++) {
      const { directory, whole } = writeInput(join(node.directory, `input-${round}`));
      const mounts = [{ containerPath: '/in', hostPath: directory, readonly: true }];
      const { container } = await runPod(node, `replay-${round}`, ['sh', '-c', REPLAY], {
        container: { mounts },
      });
      assert.equal((await waitForExit(node, container)).exitCode, 0);
      const logged = loggedStreams([(await statusOf(node, container)).logPath]);
      for (const stream of STREAMS) assertBytes(`${directory} ${stream}`, logged[stream], whole[stream]);
    }
  });

  it('the same as the peer has, but for the carriage return that the peer drops at the end of a line', async function () {
    this.timeout(120_000);
    const { node } = suite;
    const place = join(node.directory, 'peer');
    const store = join(node.directory, 'store');
    mkdirSync(store);
    storeSmallImages(store);
    const cgroup = `${node.cgroupParent}-peer`;
    const { directory } = writeInput(join(node.directory, 'input-peer'));
    const mounts = [{ containerPath: '/in', hostPath: directory, readonly: true }];
    const { container } = await runPod(node, 'replay', ['sh', '-c', REPLAY], { container: { mounts } });
    await waitForExit(node, container);
    const ours = loggedStreams([(await statusOf(node, container)).logPath]);

    const peer = await startContainerd(place, cgroup, store);
    const client = new Client(peer.socket);
    try {
      await pullImage(peer);
      const sandboxConfig = {
        metadata: { name: 'replay', uid: 'replay', namespace: 'peer', attempt: 0 },
        logDirectory: peer.logs,
        linux: {
          cgroupParent: `${cgroup}/pod`,
          securityContext: { namespaceOptions: { network: 2 } },
        },
      };
      const { podSandboxId } = await client.call('RunPodSandbox', {
        config: sandboxConfig,
        runtimeHandler: 'crun',
      });
      const config = {
        metadata: { name: 'replay', attempt: 0 },
        image: { image: BUSYBOX_IMAGE },
        command: ['sh', '-c', REPLAY],
        logPath: 'replay.log',
        mounts,
        linux: { securityContext: { namespaceOptions: { network: 2 } } },
      };
      const { containerId } = await client.call('CreateContainer', { podSandboxId, config, sandboxConfig });
      await client.call('StartContainer', { containerId });
      await eventually('the peer has replayed it', 60_000, async () => {
        const { status } = await client.call('ContainerStatus', { containerId });
        return status?.state === ContainerState.EXITED ? true : undefined;
      });
      await client.call('StopPodSandbox', { podSandboxId });
      await client.call('RemovePodSandbox', { podSandboxId });
    } finally {
      client.close();
      await peer.close();
      removeCgroups(cgroup);
    }
    const theirs = loggedStreams([join(peer.logs, 'replay.log')]);
    for (const stream of STREAMS)
      assertBytes(stream, endless(withoutReturns(ours[stream])), endless(theirs[stream]));
  });
});

/** Without the one `\r` before each `\n`. */
function withoutReturns(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(/\r\n/g, '\n'), 'latin1');
}

/** Without an end of the last line: the peer gives one to a line that has none. */
function endless(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
}
