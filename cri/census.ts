import type { RunningPull } from '../image/images.ts';
import type { Census, HandlerStatus } from '../pod/pods.ts';
import type { NetworkStatus } from '../network/pod-network.ts';
import type { Rooms } from './handler.ts';

/** The daemon's account of itself: what `berth status` shows and Status says when asked verbosely. */
export interface DaemonCensus extends Census {
  version: string;
  pid: number;
  startedAt: string;
  images: number;
  /** Pulls that run now. */
  pulls: RunningPull[];
  handlers: HandlerStatus[];
  network: NetworkStatus;
  cgroupDriver: string;
  memoryBytes: number;
}

/** Takes the census, from memory. */
export function censusOf({ pods, images, network, daemon }: Rooms): DaemonCensus {
  return {
    version: daemon.version,
    pid: process.pid,
    startedAt: daemon.startedAt.toISOString(),
    ...pods.census(),
    images: images.list().length,
    pulls: images.pulls().running,
    handlers: pods.handlers(),
    network: network.status(),
    cgroupDriver: pods.cgroupDriver(),
    memoryBytes: process.memoryUsage.rss(),
  };
}
