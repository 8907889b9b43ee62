import { Fault } from '../../ground/fault.ts';
import { O, OwnedFd, openPath } from '../../native/fd.ts';
import { processAlive } from '../../native/pidfd.ts';
import { podUserns, type Sandbox } from '../sandbox.ts';

/** The user namespace of a pod, which its pause holds; undefined when that is the node's. Throws `precondition` when pause is gone. */
export function openPodUserns({ record, subject }: Sandbox): OwnedFd | undefined {
  if (podUserns(record.config) === undefined) return undefined;
  const { pid, startTime } = record.made!;
  using undo = new DisposableStack();
  const fd = undo.use(new OwnedFd(openPath(`/proc/${pid}/ns/user`, O.RDONLY)));
  if (!processAlive(pid, startTime))
    throw new Fault('precondition', `The pause process of the ${subject} is gone`);
  undo.move();
  return fd;
}
