import type { Command } from 'commander';
import type { NodeOptions } from '../../deploy/node/command.ts';

/** `berth node …`: how Berth comes onto a node. What does the work is loaded when it is asked for. */
export function addNodeCommands(program: Command): void {
  const node = program
    .command('node')
    .description('bring Berth onto a node, or away from it: what the Helm chart runs');
  const onNode = (name: string, description: string): Command =>
    node
      .command(name)
      .description(description)
      .option('--host <directory>', "where the node's / is mounted", '/');
  const installing = (name: string, description: string): Command =>
    onNode(name, description)
      .option('--from <directory>', 'an unpacked release (default: the one that this program is part of)')
      .option('--settings <file>', 'configuration and wishes, JSON')
      .option('--retry', 'try a release that did not serve a short time ago')
      .option('--node-name <name>', 'of the Node object (default: NODE_NAME, else the host name)')
      .option('--kubeconfig <file>', 'for the kubelet switch; default: the service account of this pod');
  installing('install', 'put this release on the node and wait until it serves; also upgrades').action(
    async (options: NodeOptions) =>
      (await import('../../deploy/node/command.ts')).nodeInstall(options, false),
  );
  installing('upgrade', 'the same, where a release is installed already').action(
    async (options: NodeOptions) => (await import('../../deploy/node/command.ts')).nodeInstall(options, true),
  );
  onNode('rollback', 'go back to the release before, with its configuration')
    .option('--settings <file>', 'how long to wait, JSON')
    .action(async (options: NodeOptions) =>
      (await import('../../deploy/node/command.ts')).nodeRollback(options),
    );
  onNode('uninstall', 'take away all that was brought; refused while pods run')
    .option('--force', 'stop and remove pods that run')
    .option('--keep-data', 'leave images, containers and records')
    .option('--settings <file>', 'how long to wait, JSON')
    .option('--node-name <name>', 'of the Node object (default: NODE_NAME, else the host name)')
    .option('--kubeconfig <file>', 'for the kubelet; default: the service account of this pod')
    .action(async (options: NodeOptions) =>
      (await import('../../deploy/node/command.ts')).nodeUninstall(options),
    );
  onNode('status', 'what is installed, and how it stands')
    .option('--json', 'for machines')
    .action(async (options: NodeOptions) =>
      (await import('../../deploy/node/command.ts')).nodeStatusCommand(options),
    );
  onNode('wait', 'wait until the daemon serves')
    .option('--timeout <seconds>', 'how long', '60')
    .option('--network', 'until the network is ready, too')
    .option('--socket <path>', "the daemon's socket (default: of what is installed)")
    .action(async (options: NodeOptions) => (await import('../../deploy/node/command.ts')).nodeWait(options));
  const kubelet = node.command('kubelet').description("the node's kubelet: which runtime it goes to");
  for (const [name, want, description] of [
    ['switch', 'switched', 'point it at Berth; on a drained node'],
    ['restore', 'restored', 'point it back at what it had; on a drained node'],
  ] as const)
    kubelet
      .command(name)
      .description(description)
      .option('--host <directory>', "where the node's / is mounted", '/')
      .option('--settings <file>', 'the name of its service and its time, JSON')
      .option('--node-name <name>', 'of the Node object (default: NODE_NAME, else the host name)')
      .option('--kubeconfig <file>', 'default: the service account of this pod')
      .action(async (options: NodeOptions) =>
        (await import('../../deploy/node/command.ts')).nodeKubelet(want, options),
      );
  kubelet
    .command('turn', { hidden: true })
    .option('--host <directory>', "where the node's / is mounted", '/')
    .action(async (options: NodeOptions) => (await import('../../deploy/node/command.ts')).nodeTurn(options));
  node
    .command('withdraw', { hidden: true })
    .requiredOption('--namespace <name>', 'of the DaemonSet')
    .requiredOption('--daemonset <name>', 'of the chart')
    .option('--timeout <seconds>', 'how long', '600')
    .option('--force', 'stop and remove pods that run')
    .option('--keep-data', 'leave images, containers and records')
    .option('--kubeconfig <file>', 'default: the service account of this pod')
    .action(async (options: NodeOptions) =>
      (await import('../../deploy/node/command.ts')).nodeWithdraw(options),
    );
  node
    .command('withdrawn', { hidden: true })
    .action(async () => (await import('../../deploy/node/command.ts')).nodeWithdrawn());
}
