import { Fault } from '../../ground/fault.ts';
import { filled, refuse, whole } from '../convert/check.ts';
import type { UnaryHandler } from '../handler.ts';

/** A WebSocket has two channels a port, numbered in one byte. */
const MAX_PORTS = 100;

/**
 * Gives a URL at which one client can reach ports of a pod, within a minute. Clients over SPDY name their ports
 * themselves; those that are listed are for clients over WebSocket.
 */
export const portForward: UnaryHandler<'PortForward'> = async ({ pods, streaming }, request) => {
  filled(request.podSandboxId, 'podSandboxId');
  if (request.port.length > MAX_PORTS) refuse('port', `has ${request.port.length} ports, not ${MAX_PORTS}`);
  const ports = request.port.map((port, index) => whole(port, `port[${index}]`, 1, 65_535));
  const { id, state } = pods.sandbox(request.podSandboxId);
  if (state !== 'ready')
    throw new Fault('precondition', 'Ports cannot be forwarded to it: it is not ready', {
      subject: `sandbox ${id}`,
    });
  return { url: await streaming.url({ kind: 'portforward', sandboxId: id, ports }) };
};
