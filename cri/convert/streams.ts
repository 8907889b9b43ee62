import { Fault } from '../../ground/fault.ts';
import type { ContainerView, Pods } from '../../pod/pods.ts';
import { refuse } from './check.ts';

/** Refuses what no client can have: no stream at all, or errors apart from a terminal (api.proto, ExecRequest). */
export function checkCommandStreams(request: {
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}): void {
  const { tty, stdin, stdout, stderr } = request;
  if (tty && stderr) refuse('stderr', 'cannot be true with tty: a terminal has one output');
  if (!stdin && !stdout && !stderr) refuse('stdin, stdout and stderr', 'are false: one has to be true');
}

/** The container, when it runs. Throws Fault `not-found`, or `precondition` with the state it is in. */
export function runningContainer(pods: Pods, id: string, what: string): ContainerView {
  const container = pods.container(id);
  if (container.state === 'running') return container;
  throw new Fault('precondition', `It cannot ${what}: it is ${container.state}`, {
    subject: `container ${container.id}`,
  });
}
