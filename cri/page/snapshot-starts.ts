import type { Phase, StartPart, StartsPart, StepPart } from './parts.ts';
import type { PodStart, PullWork, RecentWork, StageTime, Work } from './recent-work.ts';

/** What a pod's start consists of, in its order. */
const PHASES: readonly Phase[] = ['pull', 'sandbox', 'network', 'create', 'start'];

/** The last starts as a picture in time. */
export function startsOf(recent: RecentWork, since: Date): StartsPart {
  const pulls = recent.pulls();
  const starts = recent.starts().flatMap((start) => startPart(start, pulls) ?? []);
  const done = starts.filter(({ outcome }) => outcome === 'done');
  const medians: StartsPart['medians'] = {};
  for (const phase of PHASES) {
    const times = done.map(({ phases }) => phases[phase]).filter((ms) => ms > 0);
    if (times.length > 0) medians[phase] = median(times);
  }
  return { since: since.toISOString(), medians, starts };
}

function startPart(start: PodStart, pulls: readonly PullWork[]): StartPart | undefined {
  const sandbox = start.works.find(({ operation }) => operation === 'RunPodSandbox');
  // It is still under way.
  if (sandbox === undefined) return undefined;
  const { beganAt, begun } = sandbox;
  const works = [...start.works, ...pullsOf(start, begun, pulls)];
  const steps = works.flatMap((work) => stepsOf(work, begun, start)).sort((a, b) => a.startMs - b.startMs);
  const phases: Record<Phase, number> = { pull: 0, sandbox: 0, network: 0, create: 0, start: 0 };
  for (const { phase, ms } of steps) phases[phase] = round(phases[phase] + ms);
  return {
    sandboxId: start.sandboxId,
    name: start.name,
    namespace: start.namespace,
    beganAt: new Date(beganAt).toISOString(),
    totalMs: round(Math.max(...steps.map(({ startMs, ms }) => startMs + ms))),
    phases,
    outcome: works.every(({ outcome }) => outcome === 'done') ? 'done' : 'failed',
    steps,
  };
}

/** Pulls of the images of this pod's containers, between the sandbox and the container that waited for them. */
function pullsOf({ containers, works }: PodStart, from: number, pulls: readonly PullWork[]): PullWork[] {
  return pulls.filter(({ imageId, begun, ms, outcome }) => {
    if (outcome === 'failed' || begun + ms <= from) return false;
    const waiting = containers.filter((container) => container.imageId === imageId).map(({ id }) => id);
    const made = works.filter(({ operation, id }) => operation === 'CreateContainer' && waiting.includes(id));
    return made.length > 0 && begun <= Math.min(...made.map((work) => work.begun));
  });
}

/** A sandbox's work has two phases: the network is a part of its own. */
function stepsOf(work: Work, from: number, start: PodStart): StepPart[] {
  const { operation, id, stages, outcome } = work;
  const startMs = round(Math.max(0, work.begun - from));
  const base = { operation, startMs, ms: work.ms, stages, outcome };
  const container = start.containers.find((one) => one.id === id)?.name ?? '';
  switch (operation) {
    case 'PullImage':
      return [{ ...base, phase: 'pull', subject: id }];
    case 'CreateContainer':
      return [{ ...base, phase: 'create', subject: container }];
    case 'StartContainer':
      return [{ ...base, phase: 'start', subject: container }];
    default:
      return sandboxSteps(base);
  }
}

function sandboxSteps(work: Omit<StepPart, 'phase' | 'subject'>): StepPart[] {
  const network = work.stages.filter(({ stage }) => stage === 'network');
  const rest = work.stages.filter(({ stage }) => stage !== 'network');
  const total = (stages: StageTime[]): number => round(stages.reduce((sum, { ms }) => sum + ms, 0));
  const sandbox: StepPart = { ...work, phase: 'sandbox', subject: '', stages: rest, ms: total(rest) };
  const [attach] = network;
  if (attach === undefined) return [sandbox];
  const startMs = round(work.startMs + attach.startMs);
  return [sandbox, { ...work, phase: 'network', subject: '', startMs, stages: network, ms: total(network) }];
}

function median(times: number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return round(sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
