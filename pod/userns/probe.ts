import { statSync } from 'node:fs';
import { messageOf } from '../../ground/fault.ts';
import type { Images } from '../../image/images.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import type { ProbeUserns } from '../handler-probe.ts';
import { makeUserNamespace } from './user-namespace.ts';

/** As the kubelet gives ranges: whole ones of this size, the first of them to the node itself. */
const RANGE = { containerId: 0, hostId: 65_536, length: 65_536 };

/** S_IXOTH of stat(2). */
const OTHERS_PASS = 0o001;

/**
 * A user namespace in which the OCI runtimes are tried out, held until it is disposed of. Has the reason instead where
 * the node makes none, where image layers cannot be shown with its ids, or where its root cannot come to its files
 * below the state directory.
 */
export async function openProbeUserns(
  exits: ExitWatcher,
  state: string,
  images?: Images,
): Promise<{ userns: ProbeUserns } & Disposable> {
  const closed = closedDirectory(state);
  if (closed !== undefined) {
    const reason = `${closed} lets no other user through to the files of pods: chmod o+x ${closed}`;
    return { userns: { reason }, [Symbol.dispose]: () => {} };
  }
  const mappings = { uids: [RANGE], gids: [RANGE] };
  using undo = new DisposableStack();
  let userns: ProbeUserns;
  try {
    const { fd } = undo.use(await makeUserNamespace(exits, mappings));
    const reason = images?.snapshots.mapsIds(fd);
    userns = reason === undefined ? { ...mappings, path: `/proc/${process.pid}/fd/${fd}` } : { reason };
  } catch (error) {
    userns = { reason: messageOf(error) };
  }
  const held = undo.move();
  return { userns, [Symbol.dispose]: () => held.dispose() };
}

/** The first directory on the way to `path` that only its owner may pass. */
export function closedDirectory(path: string): string | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  const places = ['/', ...parts.map((_, count) => `/${parts.slice(0, count + 1).join('/')}`)];
  return places.find((place) => (statSync(place).mode & OTHERS_PASS) === 0);
}
