import { hostname } from 'node:os';
import { join } from 'node:path';
import { Agent, type AgentOptions } from '../../deploy/agent/agent.ts';
import { askHealth, isAlive, serveHealth } from '../../deploy/agent/health.ts';
import { Fault, messageOf } from '../../ground/fault.ts';
import { apiServer, type Api } from '../../kubernetes/api.ts';
import { kubeconfigLogin } from '../../kubernetes/kubeconfig.ts';
import { isInCluster, serviceAccountLogin } from '../../kubernetes/login.ts';
import { loadConfig } from '../config/load.ts';
import { tcpAddress } from '../config/sound.ts';
import type { DaemonLog } from '../daemon-log.ts';
import { openLog } from '../log.ts';
import { Rest } from '../rest.ts';
import { socketPath } from '../socket.ts';
import { ownVersion } from '../version.ts';

/** Of the command line. */
export interface AgentCommandOptions {
  config?: string;
  socket?: string;
  nodeName?: string;
  kubeconfig?: string;
  health?: string;
  metrics?: string;
  once?: boolean;
  leave?: boolean;
  check?: boolean;
}

const CHECK_PATIENCE_MS = 5_000;
const REST_AFTER_MS = 15_000;

/**
 * `berth agent`: keeps the labels, the condition and the events of this node's Node object, until SIGTERM or SIGINT.
 * `--once`: one round; `--leave`: takes labels and condition away; `--check`: asks the agent that runs, and fails when
 * its loops stand still. Throws Fault.
 */
export async function agent(options: AgentCommandOptions): Promise<void> {
  const { config } = loadConfig(options.config);
  const health = options.health ?? join(config.state, 'agent.sock');
  if (options.check === true) return await check(health);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  process.on('SIGPIPE', () => {});
  // As the kubelet makes it.
  const node = (options.nodeName ?? process.env['NODE_NAME'] ?? hostname()).trim().toLowerCase();
  const log = await openLog(config.log);
  const parts: AgentOptions = {
    api: apiOf(options.kubeconfig),
    socket: options.socket ?? socketPath(config.cri.listen),
    node,
    instance: hostname(),
    log,
  };
  if (options.leave === true) {
    await new Agent(parts).leave(stop.signal);
    process.stdout.write(`The Node ${node} says nothing of Berth any more\n`);
  } else if (options.once === true) await once(parts, stop.signal);
  else await run(parts, { health, metrics: options.metrics ?? '', log, signal: stop.signal });
}

function apiOf(kubeconfig: string | undefined): Api {
  const file = kubeconfig ?? process.env['KUBECONFIG'];
  if (file !== undefined && file !== '') return apiServer(kubeconfigLogin(file));
  if (isInCluster(process.env)) return apiServer(serviceAccountLogin(process.env));
  throw new Fault('precondition', 'The agent does not know where the API server is', {
    hint: 'give --kubeconfig, or run it in a pod of the cluster',
  });
}

interface RunOptions {
  /** The unix socket on which it can be asked. */
  health: string;
  /** Where its metrics are served; empty: nowhere. */
  metrics: string;
  log: DaemonLog;
  signal: AbortSignal;
}

async function run(parts: AgentOptions, { health, metrics, log, signal }: RunOptions): Promise<void> {
  const one = new Agent(parts);
  using _rest = resting();
  await using _health = await serveHealth(health, () => one.status());
  await using served = await metricsOf(one, metrics);
  const urls = served === undefined ? {} : { metrics: served.url };
  log.info({ node: parts.node, socket: parts.socket, health, ...urls }, 'The agent has started');
  process.on('unhandledRejection', (error) => log.error({}, `Unhandled: ${messageOf(error)}`));
  await one.run(signal);
  log.info({}, 'The agent stops; the Node stays as it is');
  log.flush();
}

/** Serves the agent's metrics; their code is loaded only for that. Throws Fault. */
async function metricsOf(
  one: Agent,
  listen: string,
): Promise<(AsyncDisposable & { url: string }) | undefined> {
  if (listen === '') return undefined;
  const wrong = tcpAddress(listen);
  if (wrong !== undefined) throw new Fault('invalid', `--metrics is "${listen}": ${wrong}`);
  const { serveAgentMetrics } = await import('../../deploy/agent/agent-metrics.ts');
  return await serveAgentMetrics(one, ownVersion(), listen);
}

/** What the start has mapped is given back when it is over; what then runs allocates little. */
function resting(): Disposable {
  const release = async (): Promise<void> => (await import('../compose-memory.ts')).releaseMemory();
  const rest = new Rest(() => void release(), REST_AFTER_MS);
  return { [Symbol.dispose]: () => rest.close() };
}

async function once(parts: AgentOptions, signal: AbortSignal): Promise<void> {
  const { view, verdict } = await new Agent(parts).once(signal);
  const labels = Object.entries(view.labels).map(([key, value]) => `  ${key}=${value}\n`);
  process.stdout.write(
    `${view.name}: ${view.condition?.type} ${verdict.status} (${verdict.reason}: ${verdict.message})\n${labels.join('')}`,
  );
}

async function check(health: string): Promise<void> {
  const status = await askHealth(health, CHECK_PATIENCE_MS);
  const { node, apiTrouble, daemonTrouble, verdict, syncedAt, stillForMs } = status;
  const lines = [
    ['Node', node],
    ['API server', apiTrouble || 'answers'],
    ['Daemon', daemonTrouble || 'answers'],
    ['In step', syncedAt === '' ? 'not yet' : `at ${syncedAt}`],
    [
      'Condition',
      verdict === undefined ? 'not known yet' : `${verdict.status} (${verdict.reason}: ${verdict.message})`,
    ],
  ];
  process.stdout.write(lines.map(([name, text]) => `${name!.padEnd(12)}${text}\n`).join(''));
  if (!isAlive(status))
    throw new Fault('internal', `The agent has stood still for ${Math.round(stillForMs / 1000)} s`, {
      hint: 'restart it',
    });
}
