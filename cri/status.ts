import { status } from '@grpc/grpc-js';
import { Fault, messageOf, type FaultKind } from '../ground/fault.ts';
import type { Rpc } from './rpc.ts';

/** How a call ended, as it goes over the wire. */
export interface WireStatus {
  code: status;
  details: string;
}

const CODES: Record<FaultKind, status> = {
  invalid: status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  exists: status.ALREADY_EXISTS,
  precondition: status.FAILED_PRECONDITION,
  exhausted: status.RESOURCE_EXHAUSTED,
  deadline: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  unavailable: status.UNAVAILABLE,
  unimplemented: status.UNIMPLEMENTED,
  'data-loss': status.DATA_LOSS,
  permission: status.PERMISSION_DENIED,
  internal: status.INTERNAL,
};

/**
 * Error names that the kubelet knows (k8s.io/cri-api pkg/errors). It finds them at the beginning of the text, and
 * looks only at errors of code Unknown: from those it strips the code (remote_image.go).
 */
const KUBELET_NAMES = [
  'RegistryUnavailable',
  'SignatureValidationFailed',
  'RROUnsupported',
  'ImageVolumeMountFailed',
];

/** The text travels in an HTTP/2 header: peers bound those at 8 to 16 KiB, and percent encoding can triple it. */
const MAX_DETAILS = 4000;

/**
 * The one mapping of what was thrown to a gRPC status. Faults keep their meaning; an abort is the caller's deadline
 * or departure; all else is Unknown with its text.
 */
export function wireStatusOf(rpc: Rpc, thrown: unknown): WireStatus {
  const kubelet = kubeletName(rpc, thrown);
  const text = messageOf(thrown);
  const details = kubelet === undefined || text.startsWith(kubelet) ? text : `${kubelet}: ${text}`;
  const code = kubelet === undefined ? codeOf(thrown) : status.UNKNOWN;
  return { code, details: details.length > MAX_DETAILS ? `${details.slice(0, MAX_DETAILS)}…` : details };
}

function kubeletName(rpc: Rpc, thrown: unknown): string | undefined {
  if (!(thrown instanceof Fault)) return undefined;
  const named = KUBELET_NAMES.find((name) => thrown.what.startsWith(name));
  if (named !== undefined) return named;
  return rpc === 'PullImage' && thrown.kind === 'unavailable' ? 'RegistryUnavailable' : undefined;
}

function codeOf(thrown: unknown): status {
  if (thrown instanceof Fault) return CODES[thrown.kind];
  const name = thrown instanceof Error ? thrown.name : '';
  if (name === 'AbortError') return status.CANCELLED;
  return name === 'TimeoutError' ? status.DEADLINE_EXCEEDED : status.UNKNOWN;
}
