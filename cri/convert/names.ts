import { Signal } from '../proto/codec.js';
import type { MountPropagation, NamespaceMode, PortProtocol, SeccompProfile } from '../../pod/config.ts';
import type { ContainerState, SandboxState } from '../../pod/pods.ts';
import { refuse } from './check.ts';

/** The enums of the wire in the words of the pod room; the position is the number on the wire. */
export const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const satisfies PortProtocol[];
export const NAMESPACE_MODES = ['pod', 'container', 'node', 'target'] as const satisfies NamespaceMode[];
export const PROPAGATIONS = [
  'private',
  'host-to-container',
  'bidirectional',
] as const satisfies MountPropagation[];
export const PROFILE_TYPES = [
  'runtime-default',
  'unconfined',
  'localhost',
] as const satisfies SeccompProfile['type'][];
export const GROUPS_POLICIES = ['merge', 'strict'] as const;
export const SANDBOX_STATES = ['ready', 'notready'] as const satisfies SandboxState[];
export const CONTAINER_STATES = [
  'created',
  'running',
  'exited',
  'unknown',
] as const satisfies ContainerState[];

/** The number on the wire of a word; the lists above are short. */
export function numberOf<T extends string>(names: readonly T[], name: T): number {
  return names.indexOf(name);
}

/** `SIGRTMINPLUS3` of the wire is `SIGRTMIN+3` for everybody else. */
const SIGNAL_NAMES = new Map<number, string>(
  Object.entries(Signal).map(([name, number]) => [
    number,
    name === 'RUNTIME_DEFAULT' ? '' : name.replace('MINPLUS', 'MIN+').replace('MAXMINUS', 'MAX-'),
  ]),
);
const SIGNAL_NUMBERS = new Map([...SIGNAL_NAMES].map(([number, name]) => [name, number]));

/** The name of a stop signal; empty for RUNTIME_DEFAULT. */
export function signalName(number: number, path: string): string {
  return SIGNAL_NAMES.get(number) ?? refuse(path, `is ${number}: that is no signal of the CRI`);
}

/** The wire's number of a signal by name, with or without `SIG`; 0 for one that the wire has no number for. */
export function signalNumberOnWire(name: string): number {
  const upper = name.toUpperCase();
  return SIGNAL_NUMBERS.get(upper) ?? SIGNAL_NUMBERS.get(`SIG${upper}`) ?? 0;
}
