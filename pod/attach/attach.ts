import { Fault } from '../../ground/fault.ts';
import { DescriptorStream } from '../../native/descriptor-stream.ts';
import { isErrno } from '../../native/errno.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import type { AttachRequest, AttachSession } from '../streams.ts';
import { AttachHub } from './hub.ts';

/** Bytes of one packet to the monitor, which has room for 32 KiB. */
const MAX_PACKET = 16 * 1024;

/**
 * Attach: a running container's own input and output from now on (CRI Attach), through its monitor. Many may be
 * attached at once. Throws `not-found`, `precondition` when the container does not run or its monitor is gone.
 */
export function attach(parts: Parts, id: string, request: AttachRequest): AttachSession {
  const container = parts.containers.find(id);
  const { record, subject } = container;
  if (record.phase !== 'running') {
    throw new Fault(
      'precondition',
      `It is ${container.state}, and only a running container can be attached to`,
      {
        subject,
      },
    );
  }
  if (container.hub === undefined || container.hub.over) container.hub = openHub(parts, container);
  const session = container.hub.join(request);
  parts.sessions.add(() => session.detach(), session.ended);
  return session;
}

function openHub(parts: Parts, container: Container): AttachHub {
  const { record, subject } = container;
  const bundle = parts.paths.bundle(record.id);
  let fd: number;
  try {
    fd = parts.monitor.attach(bundle);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ECONNREFUSED')) throw error;
    throw new Fault('precondition', 'The monitor of this container is gone, so nobody can attach to it', {
      subject,
    });
  }
  const { tty, stdin, stdinOnce } = record.config;
  const stream = new DescriptorStream(parts.exits.readiness, fd, {
    maxWrite: MAX_PACKET,
    endErrors: ['ECONNRESET'],
  });
  const resize = (columns: number, rows: number): void => parts.monitor.resize(bundle, columns, rows);
  const hub = new AttachHub(stream, {
    tty,
    stdin,
    stdinOnce,
    inputClosed: container.inputClosed,
    closeInput: () => {
      container.inputClosed = true;
    },
    resize,
  });
  void hub.ended.then(() => {
    if (container.hub === hub) container.hub = undefined;
  });
  return hub;
}
