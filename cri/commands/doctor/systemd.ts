import { existsSync, readFileSync } from 'node:fs';
import type { ExitWatcher } from '../../../native/exits.ts';
import { run } from '../../../native/run.ts';
import { findExecutable } from '../../../native/spawn.ts';
import { podSettings } from '../../config/pod-settings.ts';
import type { Config } from '../../config/schema.ts';
import type { Finding } from './finding.ts';

/** What is known of the node's service manager and of its kubelet. */
export interface SystemdFacts {
  /** Whether systemd is the first process (sd_booted(3)). */
  booted: boolean;
  /** Undefined when it cannot be asked. */
  version: number | undefined;
  /** Properties of `berth.service`; empty where it is not installed. */
  unit: Record<string, string>;
  /** The kubelet's configuration file; undefined where there is none. */
  kubelet: string | undefined;
  /** The driver that this configuration means on this node. */
  driver: 'cgroupfs' | 'systemd';
}

/** Debian 12's: what the unit is written for. */
const MIN_SYSTEMD = 252;
const UNIT = 'berth.service';
const KUBELET = '/var/lib/kubelet/config.yaml';
const ASK_MS = 5000;

/** What the daemon's unit has to be, and what goes wrong otherwise. */
const NEEDS: readonly { name: string; value: string; state: 'note' | 'bad'; otherwise: string }[] = [
  { name: 'KillMode', value: 'process', state: 'bad', otherwise: 'a stop of the daemon ends all containers' },
  {
    name: 'Delegate',
    value: 'yes',
    state: 'bad',
    otherwise: "systemd changes cgroups that are the daemon's",
  },
  {
    name: 'Type',
    value: 'notify',
    state: 'note',
    otherwise: 'the kubelet may start before the socket answers',
  },
];

/** Asks systemd and reads the kubelet's file. Never rejects: what cannot be found out is left out. */
export async function systemdFacts(config: Config, exits: ExitWatcher): Promise<SystemdFacts> {
  const booted = existsSync('/run/systemd/system');
  const path = booted ? findExecutable('systemctl') : undefined;
  const ask = async (...argv: string[]): Promise<string> => {
    if (path === undefined) return '';
    const { stdout, code } = await run(exits, { path, argv: ['systemctl', ...argv], timeoutMs: ASK_MS });
    return code === 0 ? stdout.toString() : '';
  };
  const version = /^systemd (\d+)/.exec(await ask('--version'))?.[1];
  const names = ['LoadState', ...NEEDS.map(({ name }) => name)];
  const shown = (await ask('show', UNIT, `--property=${names.join(',')}`)).trim().split('\n');
  const unit = Object.fromEntries(
    shown.filter(Boolean).map((line) => line.split('=', 2) as [string, string]),
  );
  return {
    booted,
    version: version === undefined ? undefined : Number(version),
    unit: unit['LoadState'] === 'loaded' ? unit : {},
    kubelet: existsSync(KUBELET) ? readFileSync(KUBELET, 'utf8') : undefined,
    driver: podSettings(config).cgroupDriver,
  };
}

/** What a person should know of it. Nothing of systemd where it does not run. */
export function systemdFindings({ booted, version, unit, kubelet, driver }: SystemdFacts): Finding[] {
  return [...(booted ? [age(version), ...unitFindings(unit)] : []), ...kubeletFinding(kubelet, driver)];
}

function age(version: number | undefined): Finding {
  const what = `systemd ${MIN_SYSTEMD} or newer`;
  if (version === undefined) return { state: 'note', what, detail: 'it cannot be asked for its version' };
  const old = 'the unit is written for newer ones; what it does not know it ignores with a warning';
  return version >= MIN_SYSTEMD
    ? { state: 'good', what, detail: String(version) }
    : { state: 'note', what, detail: `${version}: ${old}` };
}

function unitFindings(unit: Record<string, string>): Finding[] {
  if (unit['LoadState'] === undefined)
    return [{ state: 'note', what: UNIT, detail: 'not installed: the daemon is not started with the node' }];
  const wrong = NEEDS.filter(({ name, value }) => unit[name] !== value);
  if (wrong.length === 0) return [{ state: 'good', what: UNIT, detail: '' }];
  return wrong.map(({ name, value, state, otherwise }) => ({
    state,
    what: UNIT,
    detail: `${name} is ${unit[name] || 'not set'}, it has to be ${value}: ${otherwise}`,
  }));
}

/** `cgroupDriver` of KubeletConfiguration (kubelet.config.k8s.io/v1beta1); absent: cgroupfs. */
function kubeletFinding(text: string | undefined, driver: SystemdFacts['driver']): Finding[] {
  if (text === undefined) return [];
  const theirs = /^cgroupDriver:\s*["']?(\w+)/m.exec(text)?.[1] ?? 'cgroupfs';
  const what = 'the same cgroup driver as the kubelet';
  if (theirs === driver) return [{ state: 'good', what, detail: driver }];
  const detail = `${KUBELET} says ${theirs}, here it is ${driver}: a kubelet before 1.34 does not ask the runtime, and its pods fail; set runtime.cgroup_driver = "${theirs}", or cgroupDriver: ${driver} there`;
  return [{ state: 'note', what, detail }];
}
