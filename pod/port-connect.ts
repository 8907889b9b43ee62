import type { Duplex } from 'node:stream';
import { Fault, messageOf } from '../ground/fault.ts';
import { dialLoopback } from '../native/dial.ts';
import { isErrno } from '../native/errno.ts';
import type { Parts } from './parts.ts';
import { ownNamespaces, requireReady } from './sandbox.ts';

/** A listener whose queue is full does not answer: the kernel would try for two minutes. */
const CONNECT_TIMEOUT_MS = 30_000;
const MAX_PORT = 65_535;

/**
 * PortForward: a connection to a TCP port on the pod's localhost, IPv4 before IPv6, in the pod's network namespace or
 * the node's. `end()` closes one direction. Throws `not-found`, `precondition` for a sandbox that is not ready,
 * `invalid` for a port that is none, `unavailable` when nobody listens, `deadline` when nobody answers.
 */
export async function connectPort(
  parts: Parts,
  id: string,
  port: number,
  signal?: AbortSignal,
): Promise<Duplex> {
  const sandbox = parts.sandboxes.find(id);
  const { subject, record } = sandbox;
  requireReady(sandbox);
  if (!Number.isInteger(port) || port < 1 || port > MAX_PORT)
    throw new Fault('invalid', `The port ${port} is not between 1 and ${MAX_PORT}`, { subject });
  const namespace = ownNamespaces(record.config).net ? parts.paths.netnsPin(record.id) : undefined;
  const limit = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  const either = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  try {
    return await dialLoopback(namespace, 4, port, either).catch((error: unknown) => {
      // What IPv4 says is told when IPv6 is of no help either.
      if (either.aborted) throw error;
      return dialLoopback(namespace, 6, port, either).catch(() => Promise.reject(error));
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.aborted) {
      throw new Fault('deadline', `Nobody answered on port ${port} of its localhost`, { subject });
    }
    const refused = isErrno(error, 'ECONNREFUSED');
    throw new Fault('unavailable', `Port ${port} of its localhost cannot be reached: ${messageOf(error)}`, {
      subject,
      hint: refused ? 'nobody listens on that port in the pod' : undefined,
    });
  }
}
