import { Fault } from '../../ground/fault.ts';
import { waitOrAbort } from '../../ground/wait.ts';
import { ErrnoError } from '../../native/errno.ts';
import { startChild } from '../../native/child.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import { devNullFd } from '../../native/spawn.ts';
import { O, OwnedFd, openPath, sealedProgram, socketpair } from '../../native/fd.ts';
import type { IdMappings } from '../../native/id-mapping.ts';
import { CallList } from '../exec/call-list.ts';
import { readReport } from '../exec/interpreter.ts';
import { ReportSocket } from '../exec/report.ts';
import { enterNewUserNamespace } from './calls.ts';
import { mapIds } from './map-ids.ts';

const TIMEOUT_MS = 10_000;
const PROGRAM_FD = 4;

/**
 * A user namespace that nothing but the returned file descriptor holds: for mounts whose ids it maps, and for trying
 * things out. Throws `precondition` when this node cannot make it.
 */
export async function makeUserNamespace(
  exits: ExitWatcher,
  mappings: IdMappings,
  signal?: AbortSignal,
): Promise<OwnedFd> {
  const list = new CallList();
  enterNewUserNamespace(list);
  const { promise: made, resolve, reject } = Promise.withResolvers<void>();
  // Whoever waits for it below has the reason.
  made.catch(() => {});
  using held = new DisposableStack();
  const program = held.use(new OwnedFd(sealedProgram('berth-userns', list.program())));
  const [ours, theirs] = socketpair();
  const report = new ReportSocket(ours, (bytes) => {
    const said = readReport(bytes, list.dataSize);
    if (said.kind === 'forked') resolve();
    else reject(cannot(new ErrnoError(list.calls[said.call]!.what, said.errno)));
  });
  held.defer(() => report.close());
  const theirReport = held.use(new OwnedFd(theirs));
  const { pid, exited } = await startChild(exits, {
    path: `/proc/self/fd/${PROGRAM_FD}`,
    argv: ['berth-userns'],
    env: [],
    fds: [devNullFd(), devNullFd(), devNullFd(), theirReport.fd, program.fd],
  });
  void exited.then(() => {
    report.drain();
    reject(cannot(undefined));
  });
  try {
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    await waitOrAbort(made, signal === undefined ? limit : AbortSignal.any([limit, signal]));
    mapIds(pid, mappings);
    return new OwnedFd(openPath(`/proc/${pid}/ns/user`, O.RDONLY));
  } finally {
    // Its gate closes, and it ends.
    report.close();
    await exited;
  }
}

function cannot(cause: ErrnoError | undefined): Fault {
  return new Fault('precondition', 'This node cannot make a user namespace', {
    hint: 'look at /proc/sys/user/max_user_namespaces',
    cause,
  });
}
