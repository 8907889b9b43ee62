/** What the configuration says to the pod room, all defaults filled in. */
export interface PodSettings {
  defaultHandler: string;
  /** Whether the configuration names the default handler: then no other takes its place. */
  defaultHandlerNamed: boolean;
  handlers: Record<string, { path: string; sandbox: 'inprocess' | 'oci' }>;
  conmonPath: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
  /** Cgroup parent of pods whose configuration names none. */
  cgroupParent: string;
  /** Where Localhost seccomp profiles lie. */
  seccompRoot: string;
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
  handlers: { crun: { path: 'crun', sandbox: 'inprocess' }, runc: { path: 'runc', sandbox: 'inprocess' } },
  conmonPath: 'conmon',
  cgroupDriver: 'cgroupfs',
  cgroupParent: '/berth',
  seccompRoot: '/var/lib/kubelet/seccomp',
  createTimeoutMs: 240_000,
  adoptionMs: 120_000,
  maxRuntimeChildren: 16,
};
