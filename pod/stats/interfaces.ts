import { closeSync, openSync, readSync } from 'node:fs';
import { isErrno } from '../../native/errno.ts';

/** Counters of one link, as the pod sees it. */
export interface InterfaceCounters {
  name: string;
  rxBytes: bigint;
  rxPackets: bigint;
  rxErrors: bigint;
  rxDropped: bigint;
  txBytes: bigint;
  txPackets: bigint;
  txErrors: bigint;
  txDropped: bigint;
}

/** Some 500 links. A pod with more is not worth waiting for. */
const MAX_BYTES = 64 * 1024;
const buffer = Buffer.allocUnsafe(MAX_BYTES);

/**
 * The links of the network namespace in which a process is, but for loopback. /proc/<pid>/net/dev shows them from
 * here (proc_pid_net(5)), without entering the namespace and without the kernel's lock of all link changes, for which
 * a netlink dump would wait while pods come and go. Empty when the process is gone.
 */
export function interfacesOf(pid: number): InterfaceCounters[] {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/net/dev`, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EINVAL')) return [];
    throw error;
  }
  try {
    let size = 0;
    for (let read = 1; read > 0 && size < MAX_BYTES; size += read)
      read = readSync(fd, buffer, size, MAX_BYTES - size, null);
    return parseInterfaces(buffer.toString('latin1', 0, size));
  } finally {
    closeSync(fd);
  }
}

/** The lines of net/dev (`dev_seq_printf_stats` in the kernel) but for loopback's; a line that was cut off is left out. */
export function parseInterfaces(text: string): InterfaceCounters[] {
  return text
    .split('\n')
    .slice(2, -1)
    .map((line) => {
      const colon = line.lastIndexOf(':');
      const counters = line
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
        .map(BigInt);
      const [rxBytes, rxPackets, rxErrors, rxDropped] = counters as [bigint, bigint, bigint, bigint];
      const [txBytes, txPackets, txErrors, txDropped] = counters.slice(8) as [bigint, bigint, bigint, bigint];
      const name = line.slice(0, colon).trim();
      return { name, rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped };
    })
    .filter(({ name, txDropped }) => name !== 'lo' && txDropped !== undefined);
}
