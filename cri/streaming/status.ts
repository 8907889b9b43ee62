import { messageOf } from '../../ground/fault.ts';
import type { CommandProtocol } from './protocols.ts';

/** metav1.Status of k8s.io/apimachinery, as far as remote commands use it. */
interface Status {
  metadata: object;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: { causes: { reason?: string; message: string }[] };
  code?: number;
}

/** What the error stream carries at the end of a command: JSON from v4 on, before it a text, nothing after success. */
export function exitStatus(protocol: CommandProtocol, exitCode: number): Buffer {
  if (exitCode === 0) return encoded(protocol, { metadata: {}, status: 'Success' });
  return encoded(protocol, {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  });
}

/** What the error stream carries when there was no command to end, or it was lost. `doing`: `executing command`. */
export function failureStatus(protocol: CommandProtocol, doing: string, error: unknown): Buffer {
  const message = `error ${doing} in container: ${messageOf(error)}`;
  return encoded(protocol, {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    details: { causes: [{ message }] },
    code: 500,
  });
}

function encoded(protocol: CommandProtocol, status: Status): Buffer {
  if (protocol.version >= 4) return Buffer.from(JSON.stringify(status));
  return Buffer.from(status.message ?? '');
}
