import { readFileSync, writeFileSync } from 'node:fs';
import { Fault } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';

/**
 * Turns a switch under /proc/sys/net on if it is off, in the network namespace of this process, and says so in the
 * log. `name` is dotted, without `net.`; a link's name stands in `link`, since it may hold dots.
 * Throws Fault `precondition` when it is off and cannot be written.
 */
export function turnOn(name: string, log: Log, link = ''): void {
  const path = `/proc/sys/net/${name.replaceAll('.', '/').replace('%', link)}`;
  try {
    if (readFileSync(path, 'latin1').trim() !== '0') return;
    writeFileSync(path, '1');
  } catch (cause) {
    throw new Fault('precondition', `${path} is off and cannot be turned on`, {
      cause,
      hint: 'the daemon needs root in the namespace that owns the network',
    });
  }
  log.info({ sysctl: path }, 'Turned on for pod networking');
}

/** What the node needs to forward packets of this family between pods and the world. */
export function enableForwarding(family: 4 | 6, log: Log): void {
  turnOn(family === 4 ? 'ipv4.ip_forward' : 'ipv6.conf.all.forwarding', log);
}

/** Lets processes of the node reach pods by localhost:hostPort. The rules keep pods from the node's loopback. */
export function enableLocalHostPorts(bridge: string, log: Log): void {
  turnOn('ipv4.conf.%.route_localnet', log, bridge);
}
