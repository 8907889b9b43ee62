import { Belongings } from './belongings.ts';
import type { HostFiles } from './host-files.ts';
import type { HostPrograms } from './programs.ts';
import { loadState, saveState, type NodeState } from './state.ts';
import type { HostSystemd } from './systemd.ts';

/** Everything that the installer works with on one node. */
export interface NodeParts {
  files: HostFiles;
  programs: HostPrograms;
  systemd: HostSystemd;
  /** One line for the person who reads along. */
  say: (line: string) => void;
}

/** The node as the installer sees it: its parts, and what was done there. One at a time (see `locked`). */
export class Node implements NodeParts {
  readonly files: HostFiles;
  readonly programs: HostPrograms;
  readonly systemd: HostSystemd;
  readonly say: (line: string) => void;
  readonly state: NodeState;
  readonly belongings: Belongings;

  constructor({ files, programs, systemd, say }: NodeParts) {
    this.files = files;
    this.programs = programs;
    this.systemd = systemd;
    this.say = say;
    this.state = loadState(files);
    this.belongings = new Belongings(files, this.state);
  }

  /** Changes the state and makes that durable. */
  note(change: Partial<NodeState>): void {
    Object.assign(this.state, change);
    saveState(this.files, this.state);
  }
}
