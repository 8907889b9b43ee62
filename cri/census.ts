import type { Notice } from '../ground/notices.ts';
import type { RunningPull } from '../image/images.ts';
import type { Census, HandlerStatus } from '../pod/pods.ts';
import type { NetworkStatus } from '../network/pod-network.ts';
import type { ConfigurationState } from './config/reload.ts';
import type { DiskSpace } from './disk-space.ts';
import type { Rooms } from './handler.ts';
import type { MetricsUrls } from './metrics-listener.ts';

/** The daemon's account of itself: what `berth status` shows and Status says when asked verbosely. */
export interface DaemonCensus extends Census {
  version: string;
  pid: number;
  startedAt: string;
  images: number;
  /** Pulls that run now. */
  pulls: RunningPull[];
  handlers: HandlerStatus[];
  /** The handler that would be the default if it worked on this node. */
  preferredHandler: string;
  network: NetworkStatus;
  cgroupDriver: string;
  /** Of the daemon's root directory; absent while it is not known. */
  disk?: DiskSpace;
  configuration: ConfigurationState;
  /** The latest, oldest first. */
  notices: Notice[];
  memoryBytes: number;
  urls: MetricsUrls;
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
    preferredHandler: daemon.preferredHandler,
    network: network.status(),
    cgroupDriver: pods.cgroupDriver(),
    disk: daemon.disk(),
    configuration: daemon.configuration(),
    notices: daemon.notices(),
    memoryBytes: process.memoryUsage.rss(),
    urls: daemon.urls(),
  };
}
