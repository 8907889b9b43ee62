import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RpcError } from '../../cri/client.ts';
import { ROOMS } from '../rules/rooms.ts';
import { ContainerState, readLog, runPod, statusOf, waitForExit, type RunningPod } from '../pods.ts';
import { useStreams } from '../use-streams.ts';

const ROUNDS = 10;
const PODS = 10;
const CHATTER =
  'i=0; while :; do n=0; while [ $n -lt 20 ]; do echo line $i; i=$((i+1)); n=$((n+1)); done; sleep 0.05; done';
const REPOSITORY = join(import.meta.dirname, '../..');

/** A copy of the program under another version and another path. */
function anotherVersion(directory: string, version: string): string {
  mkdirSync(directory);
  for (const part of [...Object.keys(ROOMS), 'bin'])
    cpSync(join(REPOSITORY, part), join(directory, part), {
      recursive: true,
      filter: (path) => !path.endsWith('.test.ts'),
    });
  symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as object;
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ ...manifest, version }));
  return join(directory, 'bin/berth');
}

describe('the daemon restarts and changes its version under load', () => {
  const suite = useStreams();
  let versions: string;
  before(() => (versions = mkdtempSync('/tmp/berth-versions-')));
  after(() => rmSync(versions, { recursive: true, force: true }));

  it(`${ROUNDS} times in a row, and neither pods nor a kubelet notice more than a gap`, async function () {
    this.timeout(600_000);
    const { node, streams } = suite;
    const programs = [node.program, anotherVersion(join(versions, 'next'), '99.0.0')];
    const pods: RunningPod[] = [];
    for (let index = 0; index < PODS; index++)
      pods.push(await runPod(node, `chatty-${index}`, ['sh', '-c', CHATTER]));
    const born = await Promise.all(pods.map(({ container }) => statusOf(node, container)));
    const short = await runPod(node, 'host-of-short-ones', ['sleep', '10000']);

    // A kubelet: relists, and probes each container. What it is told is kept.
    const errors = new Map<string, number>();
    const wrong: string[] = [];
    let relists = 0;
    let probes = 0;
    let over = false;
    const ask = async <T>(
      call: () => Promise<T>,
      check: (answer: T) => string | undefined,
    ): Promise<void> => {
      try {
        const complaint = check(await call());
        if (complaint !== undefined) wrong.push(complaint);
      } catch (error) {
        const code = error instanceof RpcError ? error.code : String(error);
        errors.set(code, (errors.get(code) ?? 0) + 1);
        if (code !== 'UNAVAILABLE') wrong.push(String(error));
      }
    };
    const relist = async (): Promise<void> => {
      while (!over) {
        await ask(
          () => node.client.call('ListContainers', { filter: { state: { state: ContainerState.RUNNING } } }),
          ({ containers }) => {
            relists++;
            const seen = new Set(containers.map(({ id }) => id));
            const missing = pods.filter(({ container }) => !seen.has(container));
            return missing.length === 0 ? undefined : `${missing.length} containers are missing in a list`;
          },
        );
        await sleep(50);
      }
    };
    const probe = async (container: string): Promise<void> => {
      while (!over) {
        await ask(
          () =>
            node.client.call('ExecSync', { containerId: container, cmd: ['echo', 'alive'], timeout: 10n }),
          ({ exitCode, stdout }) => {
            probes++;
            const said = Buffer.from(stdout).toString();
            return exitCode === 0 && said === 'alive\n' ? undefined : `a probe: ${exitCode}, ${said}`;
          },
        );
        await sleep(200);
      }
    };
    const kubelet = [relist(), ...pods.map(({ container }) => probe(container))];

    const shortOnes: { container: string; code: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // They end while the daemon is away, or nearly so.
      for (const delay of ['0.1', '0.5', '1'])
        shortOnes.push(await shortOne(round * 3 + shortOnes.length, delay));
      const session = await streams.exec(pods[round % PODS]!.container, [
        'sh',
        '-c',
        'while :; do echo x; sleep 0.1; done',
      ]);
      session.stdout!.resume();
      node.program = programs[round % 2 === 0 ? 1 : 0]!;
      await node.stop();
      await sleep(round % 3 === 0 ? 700 : 0);
      await node.start();
      streams.hangUp();
      const { runtimeVersion } = await node.client.call('Version', {});
      assert.equal(runtimeVersion === '99.0.0', round % 2 === 0, `it is the other one: ${runtimeVersion}`);
      await sleep(300);
    }
    over = true;
    await Promise.all(kubelet);

    assert.deepEqual(wrong, []);
    assert.deepEqual(
      [...errors.keys()].filter((code) => code !== 'UNAVAILABLE'),
      [],
    );
    assert.ok(
      relists > ROUNDS && probes > ROUNDS * PODS,
      `${relists} relists and ${probes} probes went through`,
    );
    for (const { container, code } of shortOnes) {
      const { exitCode, reason } = await waitForExit(node, container, 10_000);
      assert.deepEqual([exitCode, reason], [code, 'Error']);
    }
    const now = await Promise.all(pods.map(({ container }) => statusOf(node, container)));
    assert.deepEqual(now, born, 'no container was started anew');
    for (const { container } of pods)
      await node.client.call('StopContainer', { containerId: container, timeout: 0 });
    for (const { logPath } of born)
      readLog(logPath).forEach(({ content, tag }, index) =>
        assert.deepEqual([content, tag], [`line ${index}`, 'F'], logPath),
      );

    async function shortOne(index: number, delay: string): Promise<{ container: string; code: number }> {
      const code = 1 + (index % 100);
      const config = {
        ...short.config,
        metadata: { name: `short-${index}`, attempt: 0 },
        logPath: `short-${index}.log`,
        command: ['sh', '-c', `sleep ${delay}; exit ${code}`],
      };
      const { containerId } = await node.client.call('CreateContainer', {
        podSandboxId: short.sandbox,
        config,
        sandboxConfig: short.pod,
      });
      await node.client.call('StartContainer', { containerId });
      return { container: containerId, code };
    }
  });
});
