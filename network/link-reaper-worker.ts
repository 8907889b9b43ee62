import { workerData } from 'node:worker_threads';
import { isErrno } from '../native/errno.ts';
import { linkDel, Rtnl } from '../native/netlink.ts';

/** Deletes the links named in its data, then ends. One that is gone already is fine. */
const { names } = workerData as { names: string[] };
using rtnl = new Rtnl();
for (const name of names) {
  try {
    rtnl.exec([linkDel(name)]);
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}
