import { Fault } from '../../ground/fault.ts';
import type { HostFiles } from './host-files.ts';
import type { KubeletState } from './kubelet-files.ts';

/** All that the installer makes of its own is below this directory of the node. */
export const PREFIX = '/opt/berth';
export const RELEASES = `${PREFIX}/releases`;
/** The release in use. */
export const CURRENT = `${PREFIX}/current`;
export const JOURNAL = `${PREFIX}/node`;
const STATE = `${JOURNAL}/state.json`;

/** Something on the node that is there because of us. */
export interface Thing {
  path: string;
  /** A tree goes with all that is in it, a directory only when it is empty. */
  kind: 'file' | 'link' | 'directory' | 'tree';
  /** Something else stood there. `kept` once it has its second name, before ours takes its place. */
  replaced?: 'noted' | 'kept';
}

/** All that makes one installation: putting these on the node again is a rollback. */
export interface Generation {
  /** Name of the directory in /opt/berth/releases. */
  release: string;
  version: string;
  /** Of the release's whole tree. */
  digest: string;
  unit: string;
  dropIn: string;
  crictl: string;
  cni: { directory: string; replace: boolean } | null;
  /** The daemon's socket and directories, as this configuration says. */
  socket: string;
  data: string[];
}

/** What is being done, written before the first step of it. */
export type Change =
  | { kind: 'install'; from?: Generation; to: Generation; switched: boolean; networkWasReady: boolean }
  | { kind: 'rollback'; to?: Generation; reason: string }
  | { kind: 'uninstall' };

export interface NodeState {
  format: 1;
  things: Thing[];
  /** Links that the daemons make on the node. */
  links?: string[];
  current?: Generation;
  previous?: Generation;
  change?: Change;
  failed?: { generation: Generation; reason: string; at: string };
  kubelet?: KubeletState;
}

/** The state as it is on the node; an empty one before the first installation. */
export function loadState(files: HostFiles): NodeState {
  const text = files.read(STATE);
  if (text === undefined) return { format: 1, things: [] };
  let state: NodeState;
  try {
    state = JSON.parse(text) as NodeState;
  } catch (cause) {
    throw new Fault('data-loss', `${STATE} is damaged`, {
      cause,
      hint: 'put it back from a backup of the node',
    });
  }
  if (state.format !== 1)
    throw new Fault('precondition', `${STATE} was written by a newer version`, {
      hint: 'use that version of the program',
    });
  return state;
}

/** Makes the state durable. The directory has to be there. */
export function saveState(files: HostFiles, state: NodeState): void {
  files.write(STATE, `${JSON.stringify(state, undefined, 2)}\n`, 0o600);
}

/** Takes the state away: the last step of an uninstallation. */
export function removeState(files: HostFiles): void {
  for (const name of ['state.json', 'lock']) files.remove(`${JOURNAL}/${name}`);
  for (const path of [JOURNAL, PREFIX]) files.removeDirectory(path);
}
