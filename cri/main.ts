import { Command, Option } from 'commander';
import { Fault } from '../ground/fault.ts';
import { addNodeCommands } from './commands/node.ts';
import type { AgentCommandOptions } from './commands/agent.ts';
import type { ServeOptions } from './commands/serve.ts';
import { ConfigMistake, EX_CONFIG } from './config/mistake.ts';
import { ownVersion } from './version.ts';

/*
 * The command line. Every command is loaded when it is asked for: the daemon does not pay for the demo.
 */

interface Options {
  config?: string;
  json?: boolean;
  name?: string;
  repair?: boolean;
  format?: string;
  compress?: string;
}

/** Every command with its options and its help: completions and the manual page are made from it. */
export const program = new Command('berth')
  .description('A Kubernetes container runtime: CRI v1 daemon for a node')
  .version(ownVersion())
  .showHelpAfterError('(berth --help lists the commands)');

/** A command that works with the configuration. */
function configured(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option(
      '-c, --config <file>',
      'the configuration, with drop-ins in <file>.d (default: /etc/berth/berth.toml)',
    );
}

configured(program, 'serve', 'run the daemon in the foreground')
  .addOption(
    new Option('--log-format <format>', 'instead of the one in the configuration').choices([
      'auto',
      'json',
      'text',
    ]),
  )
  .action(async (options: ServeOptions) => (await import('./commands/serve.ts')).serve(options));

program
  .command('demo')
  .description('prepare a throw-away node, run pods on it, show them, remove everything')
  .action(async () => (await import('./commands/demo.ts')).demo());

const config = program.command('config').description('the configuration');
config
  .command('default')
  .description('print every key with its default and its meaning')
  .action(async () => (await import('./commands/config.ts')).configDefault());
configured(config, 'show', 'print the configuration in force').action(async (options: Options) =>
  (await import('./commands/config.ts')).configShow(options.config),
);
configured(config, 'check', 'say whether the configuration is sound').action(async (options: Options) =>
  (await import('./commands/config.ts')).configCheck(options.config),
);

const image = program.command('image').description('images of the running daemon');
configured(image, 'load', 'import an OCI layout or docker archive')
  .argument('<file>', 'a tar file, plain or compressed with gzip or zstd')
  .option('--name <name>', 'for an archive that carries no name')
  .action(async (file: string, options: Options) =>
    (await import('./commands/image.ts')).imageLoad(file, options),
  );
configured(image, 'pull', 'pull an image from its registry')
  .argument('<name>')
  .action(async (name: string, options: Options) =>
    (await import('./commands/image.ts')).imagePull(name, options),
  );
configured(image, 'list', 'list all images')
  .option('--json', 'for machines')
  .action(async (options: Options) => (await import('./commands/image.ts')).imageList(options));
configured(image, 'save', 'write images into an archive')
  .argument('<file>', 'a tar file that is made')
  .argument('<name...>')
  .addOption(new Option('--format <format>', 'of the archive').choices(['oci', 'docker']).default('oci'))
  .addOption(
    new Option('--compress <how>', 'the layers of an OCI archive, or a docker archive as a whole')
      .choices(['none', 'gzip', 'zstd'])
      .default('none'),
  )
  .action(async (file: string, names: string[], options: Options) =>
    (await import('./commands/image.ts')).imageSave(file, names, options),
  );
configured(image, 'inspect', 'print all about an image as JSON')
  .argument('<name>')
  .action(async (name: string, options: Options) =>
    (await import('./commands/image.ts')).imageInspect(name, options),
  );
configured(image, 'remove', 'remove an image with all of its names')
  .argument('<name>')
  .action(async (name: string, options: Options) =>
    (await import('./commands/image.ts')).imageRemove(name, options),
  );

const cni = program.command('cni').description('the CNI plugins that Berth brings, for other runtimes');
cni
  .command('list')
  .description('print their types')
  .action(async () => (await import('./commands/cni.ts')).cniList());
cni
  .command('install')
  .description('write them into a directory as programs')
  .argument('<directory>', 'such as /opt/cni/bin')
  .option('--force', 'replace programs of others that have the same names')
  .option('--only <types>', 'not all of them: types with commas between')
  .action(async (directory: string, options: { force?: boolean; only?: string }) =>
    (await import('./commands/cni.ts')).cniInstall(directory, options),
  );
cni
  .command('remove')
  .description('take away what install wrote')
  .argument('<directory>')
  .action(async (directory: string) => (await import('./commands/cni.ts')).cniRemove(directory));

configured(program, 'status', 'what the running daemon does, owes and cannot do')
  .option('--json', 'for machines')
  .action(async (options: Options) => (await import('./commands/status.ts')).status(options));

configured(program, 'agent', "keep this node's labels, condition and events in its cluster")
  .option('--socket <path>', "the daemon's (default: the one in the configuration)")
  .option('--node-name <name>', "of this node's Node object (default: NODE_NAME, else the host name)")
  .option(
    '--kubeconfig <file>',
    "the way to the API server (default: KUBECONFIG, else the pod's service account)",
  )
  .option('--health <path>', 'the unix socket on which the agent can be asked (default: agent.sock in state)')
  .option(
    '--metrics <address>',
    'serve /metrics and /healthz there, such as 127.0.0.1:9465 (default: nowhere)',
  )
  .addOption(new Option('--once', 'one round, then end').conflicts(['leave', 'check']))
  .addOption(new Option('--leave', 'take labels and condition away, then end').conflicts('check'))
  .option('--check', 'ask the agent that runs, for probes: fails when it stands still')
  .action(async (options: AgentCommandOptions) => (await import('./commands/agent.ts')).agent(options));

configured(program, 'doctor', 'whether this node has what is needed, and what to install if not')
  .option('--json', 'for machines')
  .action(async (options: Options) => (await import('./commands/doctor.ts')).doctor(options));

configured(program, 'check', 'hold the records against the kernel and look through the image store')
  .option(
    '--repair',
    'set damaged layers aside, so that they are pulled anew, and remove what no record names',
  )
  .option('--json', 'for machines')
  .action(async (options: Options) => (await import('./commands/check.ts')).check(options));

addNodeCommands(program);

if (import.meta.main) void run();

/** The command that was asked for. Its failure is told on standard error and by the exit code. */
async function run(): Promise<void> {
  // `serve` takes it out of the environment.
  const journalStream = process.env['JOURNAL_STREAM'];
  try {
    await program.parseAsync();
  } catch (error) {
    // A Fault was written for people; anything else is a mistake of ours, and its place helps to find it.
    const text =
      error instanceof Fault ? error.message : error instanceof Error ? error.stack : String(error);
    const { isJournalStream } = await import('./systemd/journal.ts');
    // The journal reads the priority of each line from its beginning (sd-daemon(3)): an error.
    const priority = isJournalStream(journalStream, 2) ? '<3>' : '';
    process.stderr.write(`berth: ${text}\n`.replaceAll(/^(?=.)/gm, priority));
    process.exitCode = error instanceof ConfigMistake ? EX_CONFIG : 1;
  }
}
