import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { messageOf } from '../../../ground/fault.ts';
import { quotaSupport } from '../../../image/project-quotas.ts';
import { ExitWatcher } from '../../../native/exits.ts';
import { run } from '../../../native/run.ts';
import { findExecutable } from '../../../native/spawn.ts';
import { openFirewall } from '../../../network/firewall.ts';
import { APPARMOR_PARSER, apparmorAvailable } from '../../../pod/apparmor/apparmor.ts';
import { machineTrouble } from '../../../pod/machine.ts';
import { nodeFacts } from '../../../pod/spec/node-facts.ts';
import type { Config } from '../../config/schema.ts';
import type { Finding } from './finding.ts';
import { probeHandlers } from './handlers.ts';
import { systemdFacts, systemdFindings } from './systemd.ts';

/** pidfd, openat2, new mount API, time namespaces; overlay layers are given one by one since 6.8. */
const MIN_KERNEL = [5, 15] as const;

/** Programs besides the OCI runtimes, with the Debian package that brings each. */
const PROGRAMS = [{ name: 'conmon', install: 'conmon', need: 'bad', use: 'monitor of containers' }] as const;

/** Looks at everything, in the order in which a person would ask. */
export async function examine(config: Config): Promise<Finding[]> {
  const exits = await ExitWatcher.start();
  try {
    const root = process.getuid?.() === 0;
    const found = [
      finding(root, 'bad', 'runs as root', root ? '' : 'namespaces, mounts and cgroups need it'),
      finding(machineTrouble() === '', 'bad', 'machine', machineTrouble() || 'x86-64'),
      kernel(),
      ...kernelParts(),
      projectQuotas(config),
      ...(await Promise.all(PROGRAMS.map((program) => examineProgram(program, config, exits)))),
      await packetFilter(config, exits),
      apparmor(),
      finding(true, 'note', 'SELinux', nodeFacts().selinux ? 'on' : 'off'),
      ...systemdFindings(await systemdFacts(config, exits)),
    ];
    return root ? [...found, ...(await probeHandlers(config, exits))] : found;
  } finally {
    await exits.close();
  }
}

function finding(
  good: boolean,
  otherwise: 'note' | 'bad',
  what: string,
  detail: string,
  install?: string,
): Finding {
  return { state: good ? 'good' : otherwise, what, detail, ...(good ? {} : { install }) };
}

function kernel(): Finding {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const enough = major > MIN_KERNEL[0] || (major === MIN_KERNEL[0] && minor >= MIN_KERNEL[1]);
  return finding(enough, 'bad', `Linux ${MIN_KERNEL.join('.')} or newer`, release());
}

function kernelParts(): Finding[] {
  const filesystems = readOrEmpty('/proc/filesystems');
  const overlay = /\boverlay$/m.test(filesystems) || existsSync('/sys/module/overlay');
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const hybrid = existsSync('/sys/fs/cgroup/unified');
  const mode = unified ? 'v2' : hybrid ? 'v1, hybrid' : existsSync('/sys/fs/cgroup/memory') ? 'v1' : '';
  const forwards = readOrEmpty('/proc/sys/net/ipv4/ip_forward').trim() === '1';
  const userns =
    existsSync('/proc/self/ns/user') && readOrEmpty('/proc/sys/user/max_user_namespaces').trim() !== '0';
  return [
    finding(overlay, 'note', 'overlay file system', overlay ? '' : 'not loaded: modprobe overlay'),
    finding(mode !== '', 'bad', 'cgroups', mode),
    finding(userns, 'note', 'user namespaces', userns ? '' : 'user.max_user_namespaces is 0'),
    finding(
      forwards,
      'note',
      'IP forwarding',
      forwards ? '' : 'off: the daemon switches it on for its bridge network',
    ),
  ];
}

/** The daemon loads its profile by the parser at its start. */
function apparmor(): Finding {
  if (!apparmorAvailable()) return finding(true, 'note', 'AppArmor', 'off: nothing is confined by it');
  const parser = findExecutable(APPARMOR_PARSER);
  const detail = parser === undefined ? `${APPARMOR_PARSER} not found: no default profile` : `on, ${parser}`;
  return finding(parser !== undefined, 'note', 'AppArmor', detail, 'apparmor');
}

/** Who would write the rules for host ports and masquerade, and whether it can. */
async function packetFilter(config: Config, exits: ExitWatcher): Promise<Finding> {
  const what = 'packet filter';
  const { firewall } = config.network;
  try {
    const { kind, why, missing, close } = await openFirewall(firewall, exits);
    close();
    if (missing.length > 0)
      return finding(false, 'note', what, `${kind}: ${missing.join(', ')} not found`, 'iptables');
    return finding(true, 'note', what, `${kind}, because ${why}`);
  } catch (error) {
    return finding(false, 'note', what, messageOf(error));
  }
}

/** Only a limit that is configured makes them a need. */
function projectQuotas({ root, image }: Config): Finding {
  let place = root;
  while (!existsSync(place)) place = dirname(place);
  const { accounting, enforcing, hint } = quotaSupport(place);
  const limit = image.writable_layer_limit;
  const without = `image.writable_layer_limit is ${limit}: no container can be made`;
  const detail = [
    place,
    enforcing ? 'counted and limited' : accounting ? 'counted, not limited' : 'none',
    ...(enforcing ? [] : [limit > 0 ? without : 'writable layers cannot be limited', hint]),
  ].join('; ');
  return finding(enforcing, limit > 0 ? 'bad' : 'note', 'project quotas', detail);
}

async function examineProgram(
  program: (typeof PROGRAMS)[number],
  config: Config,
  exits: ExitWatcher,
): Promise<Finding> {
  const name = program.name === 'conmon' ? config.runtime.conmon : program.name;
  const path = findExecutable(name);
  if (path === undefined)
    return finding(false, program.need, name, `${program.use}: not found`, program.install);
  const { stdout, stderr, code } = await run(exits, { path, argv: [name, '--version'], timeoutMs: 5000 });
  const version = stdout.toString().split('\n', 1)[0]!.trim();
  const detail = code === 0 ? version : `does not run: ${stderr.toString().trim()}`;
  return finding(code === 0, program.need, name, detail, program.install);
}

function readOrEmpty(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
