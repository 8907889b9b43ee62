import type { OciRlimit } from './spec/oci-spec.ts';

export interface HandlerSettings {
  path: string;
  sandbox: 'inprocess' | 'oci';
  /** Who takes commands into containers. auto: the daemon, for the runtimes whose containers it knows (crun, runc). */
  exec: 'auto' | 'inprocess' | 'oci';
}

/** What the configuration says to the pod room, all defaults filled in. */
export interface PodSettings {
  defaultHandler: string;
  /** Whether the configuration names the default handler: then no other takes its place. */
  defaultHandlerNamed: boolean;
  handlers: Record<string, HandlerSettings>;
  conmonPath: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
  /** Cgroup parent of pods whose configuration names none. */
  cgroupParent: string;
  /** Where Localhost seccomp profiles lie. */
  seccompRoot: string;
  /** Where files of the Container Device Interface lie; later ones win. */
  cdiDirectories: string[];
  /** Bytes of one log file above which its lines are dropped and it begins anew; 0: no bound. */
  maxLogBytes: number;
  /** Whether containers are restored from images that have a checkpoint in them. */
  checkpointImages: boolean;
  /** Limits of the processes of every container. */
  rlimits: OciRlimit[];
  /** How long a create may work after its caller has left, in ms. */
  createTimeoutMs: number;
  /** How long a finished create waits for the retry of a caller that had left, in ms. */
  adoptionMs: number;
  /** OCI runtime children at once. */
  maxRuntimeChildren: number;
}

export const DEFAULT_POD_SETTINGS: PodSettings = {
  defaultHandler: 'crun',
  defaultHandlerNamed: false,
  handlers: {
    crun: { path: 'crun', sandbox: 'inprocess', exec: 'auto' },
    runc: { path: 'runc', sandbox: 'inprocess', exec: 'auto' },
  },
  conmonPath: 'conmon',
  cgroupDriver: 'cgroupfs',
  cgroupParent: '/berth',
  seccompRoot: '/var/lib/kubelet/seccomp',
  cdiDirectories: ['/etc/cdi', '/var/run/cdi'],
  maxLogBytes: 0,
  checkpointImages: false,
  rlimits: [],
  createTimeoutMs: 240_000,
  adoptionMs: 120_000,
  maxRuntimeChildren: 16,
};
