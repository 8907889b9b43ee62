import process from 'node:process';
import type { StageSink } from './stages.ts';

/**
 * A sink that kills this process with SIGKILL as soon as the stage named by `spec` (`RunPodSandbox:network`) begins.
 * Crash tests set it through the environment, to show that no stage leaves anything behind.
 */
export function crashingAt(spec: string, inner: StageSink): StageSink {
  return {
    enter(operation, id, stage) {
      if (spec === `${operation}:${stage}`) process.kill(process.pid, 'SIGKILL');
      inner.enter(operation, id, stage);
    },
    leave: (operation, id, outcome) => inner.leave(operation, id, outcome),
  };
}

/** As `crashingAt`, at a step inside the network: `CNI:ADD bridge` dies when that function has returned. */
export function crashAfter(spec: string): (step: string) => void {
  return (step) => {
    if (spec === `CNI:${step}`) process.kill(process.pid, 'SIGKILL');
  };
}
