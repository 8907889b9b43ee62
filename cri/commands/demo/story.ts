import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from '../../../ground/fault.ts';
import type { Operation } from '../../../ground/stages.ts';
import type { Client } from '../../client.ts';
import type { RequestInput, ResponseOf, UnaryRpc } from '../../rpc.ts';
import { drawBars } from './bars.ts';
import { DEMO_IMAGE, PAGE, writeDemoImage } from './image.ts';
import { takeInventory, type Inventory } from './leftovers.ts';
import type { DemoNode } from './node.ts';
import { containerConfig, sandboxConfig } from './pods.ts';
import type { Screen } from './screen.ts';
import { stageTimes, timesBetween } from './stage-times.ts';

const PATIENCE_MS = 20_000;
const SETTLE_LIMIT_MS = 1_000;
const START: Operation[] = ['RunPodSandbox', 'CreateContainer', 'StartContainer'];

interface Pod {
  sandboxId: string;
  containerId: string;
  address: string;
  ms: number;
}

/** The demo itself, step by step. Throws Fault when a step does not show what it must. */
export async function tellStory(node: DemoNode, screen: Screen, signal: AbortSignal): Promise<void> {
  const begun = performance.now();
  screen.title('A node of its own');
  screen.fact('directory', node.directory);
  const startMs = await node.start(signal);
  const { client } = node;
  const call = calling(client, signal);
  const { runtimeName, runtimeVersion } = await call('Version', {});
  screen.fact('daemon', `${runtimeName} ${runtimeVersion} listens after ${startMs.toFixed(0)} ms`);
  await importImage(node, call, screen);

  const before = await inventory(node, call);
  const untouched = stageTimes(await node.metrics(signal));
  screen.title('Two pods');
  const server = await startPod(node, call, 'server', 'echo ready; exec httpd -f -vv -p 80 -h /www');
  const first = stageTimes(await node.metrics(signal));
  const visitor = await startPod(node, call, 'visitor', 'exec sleep 1000');
  const second = stageTimes(await node.metrics(signal));
  for (const [name, pod] of Object.entries({ server, visitor }))
    screen.fact(name, `${pod.address.padEnd(15)} runs after ${pod.ms.toFixed(1)} ms`);

  screen.title("The way of the second pod's start, stage by stage (the first one also warms caches)");
  const times = timesBetween(first, second, START);
  drawBars(screen, times);
  const sum = (list: { ms: number }[]): string => list.reduce((total, { ms }) => total + ms, 0).toFixed(1);
  screen.fact('in all', `${sum(times)} ms; the first pod ${sum(timesBetween(untouched, first, START))} ms`);

  await showTalk(call, server, visitor, screen);
  await showInside(call, server, screen, signal);
  const during = await inventory(node, call);

  await removePod(call, server);
  await removePod(call, visitor);
  const after = await settledInventory(node, call, before);
  screen.title('Afterwards');
  showInventories(screen, before, during, after);
  await node.stop();
  screen.fact('in all', `${((performance.now() - begun) / 1000).toFixed(1)} s`);
  expectNothingLeft(before, after);
}

type Calling = <R extends UnaryRpc>(rpc: R, request: RequestInput<R>) => Promise<ResponseOf<R>>;

function calling(client: Client, signal: AbortSignal): Calling {
  return (rpc, request) => client.call(rpc, request, { signal, deadlineMs: PATIENCE_MS });
}

async function importImage(node: DemoNode, call: Calling, screen: Screen): Promise<void> {
  const archive = join(node.directory, 'image.tar');
  const begun = performance.now();
  writeDemoImage(archive);
  const { images } = await call('LoadImage', { path: archive, name: DEMO_IMAGE });
  const ms = (performance.now() - begun).toFixed(0);
  screen.fact(
    'image',
    `${images[0]?.repoTags[0] ?? DEMO_IMAGE}, this machine's busybox, imported in ${ms} ms`,
  );
}

async function startPod(node: DemoNode, call: Calling, name: string, script: string): Promise<Pod> {
  const sandbox = sandboxConfig(node, name);
  const begun = performance.now();
  const { podSandboxId } = await call('RunPodSandbox', { config: sandbox });
  const create = { podSandboxId, config: containerConfig(name, script), sandboxConfig: sandbox };
  const { containerId } = await call('CreateContainer', create);
  await call('StartContainer', { containerId });
  const ms = performance.now() - begun;
  const { status } = await call('PodSandboxStatus', { podSandboxId });
  return { sandboxId: podSandboxId, containerId, address: status?.network?.ip ?? '', ms };
}

async function removePod(call: Calling, { sandboxId: podSandboxId, containerId }: Pod): Promise<void> {
  await call('StopContainer', { containerId, timeout: 0n });
  await call('RemoveContainer', { containerId });
  await call('StopPodSandbox', { podSandboxId });
  await call('RemovePodSandbox', { podSandboxId });
}

async function execIn(call: Calling, containerId: string, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await call('ExecSync', {
    containerId,
    cmd: ['sh', '-c', script],
    timeout: 10n,
  });
  if (exitCode === 0) return Buffer.from(stdout).toString().trimEnd();
  throw new Fault('internal', `${script} ended with ${exitCode}: ${Buffer.from(stderr).toString()}`);
}

/** One pod asks the other for its page. */
async function showTalk(call: Calling, server: Pod, visitor: Pod, screen: Screen): Promise<void> {
  screen.title('The visitor asks the server for its page');
  const begun = performance.now();
  const script = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc ${server.address} 80`;
  const answer = await execIn(call, visitor.containerId, script);
  const ms = performance.now() - begun;
  screen.fact('answer', answer.split('\n')[0]!.trim());
  screen.fact('page', `${answer.split('\n').at(-1)!} (${ms.toFixed(1)} ms with the exec)`);
  if (!answer.includes(PAGE)) throw new Fault('internal', `The server answered something else: ${answer}`);
}

async function showInside(call: Calling, pod: Pod, screen: Screen, signal: AbortSignal): Promise<void> {
  const { containerId } = pod;
  screen.title("The server's log, an exec, its stats");
  const { status } = await call('ContainerStatus', { containerId });
  for (const line of await logLines(status!.logPath, signal)) screen.fact('log', line);
  const processes = await execIn(call, containerId, 'hostname; ps -o pid,user,args');
  for (const line of processes.split('\n')) screen.fact('exec', line);
  const { stats } = await call('ContainerStats', { containerId });
  const cpuMs = Number(stats?.cpu?.usageCoreNanoSeconds?.value ?? 0n) / 1e6;
  const kibibytes = Number(stats?.memory?.workingSetBytes?.value ?? 0n) / 1024;
  screen.fact('stats', `${cpuMs.toFixed(1)} ms of CPU, ${kibibytes.toFixed(0)} KiB working set`);
}

/** The log as it stands on disk; waits a moment for the line of the request. */
async function logLines(path: string, signal: AbortSignal): Promise<string[]> {
  const WANTED = 2;
  for (let tries = 0; ; tries++) {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    if (lines.length >= WANTED || tries === 20) return lines;
    await delay(10);
    signal.throwIfAborted();
  }
}

type Counted = Inventory & { records: number };

async function inventory(node: DemoNode, call: Calling): Promise<Counted> {
  const { items } = await call('ListPodSandbox', {});
  const { containers } = await call('ListContainers', {});
  return { ...takeInventory(node.cgroup), records: items.length + containers.length };
}

/** Counts again for a moment while there is more than before: the kernel takes network namespaces down in batches. */
async function settledInventory(node: DemoNode, call: Calling, before: Counted): Promise<Counted> {
  const begun = performance.now();
  for (;;) {
    const now = await inventory(node, call);
    if (leftOf(before, now).length === 0 || performance.now() - begun > SETTLE_LIMIT_MS) return now;
    await delay(20);
  }
}

function showInventories(screen: Screen, before: Counted, during: Counted, after: Counted): void {
  const cell = (text: string | number): string => String(text).padStart(9);
  screen.line(screen.paint('dim', `  ${''.padEnd(12)} ${cell('before')}${cell('two pods')}${cell('after')}`));
  for (const key of Object.keys(before) as (keyof Counted)[]) {
    const gone = after[key] <= before[key];
    const mark = gone ? screen.paint('green', '  as before') : screen.paint('red', '  LEFT BEHIND');
    screen.fact(key, `${cell(before[key])}${cell(during[key])}${cell(after[key])}${mark}`);
  }
}

function expectNothingLeft(before: Counted, after: Counted): void {
  const left = leftOf(before, after);
  if (left.length > 0) throw new Fault('internal', `Something is left of the pods: ${left.join(', ')}`);
}

/** The things of which there is more now. */
function leftOf(before: Counted, now: Counted): string[] {
  return (Object.keys(before) as (keyof Counted)[]).filter((key) => now[key] > before[key]);
}
