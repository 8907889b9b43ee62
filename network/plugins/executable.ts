import { text } from 'node:stream/consumers';
import { runExecutable } from '../../cni/executable.ts';
import { PluginRunner } from '../../cni/plugin-runner.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { openFirewall } from '../firewall.ts';
import { ownPlugins } from './own-plugins.ts';

/*
 * A plugin of Berth as a program for any runtime: its type is the first argument, the rest is as the CNI
 * specification (section 2) has it. `berth cni install` writes the small files that call this.
 */
const [type = ''] = process.argv.slice(2);
const exits = await ExitWatcher.start();
try {
  const directories = (process.env['CNI_PATH'] ?? '').split(':').filter((part) => part !== '');
  const external = new PluginRunner(exits, directories);
  const firewall = await openFirewall('auto', exits);
  const outcome = await runExecutable(
    type,
    ownPlugins({ firewall: firewall.pods }),
    external,
    process.env,
    await text(process.stdin),
  );
  process.stdout.write(outcome.stdout);
  process.exitCode = outcome.code;
} finally {
  await exits.close();
}
