import type { Clock } from '../ground/clock.ts';
import type { Log } from '../ground/log.ts';
import type { RecordTable } from '../ground/records.ts';
import type { StageSink } from '../ground/stages.ts';
import type { Images } from '../image/images.ts';
import type { ExitWatcher } from '../native/exits.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import type { Apparmor } from './apparmor/apparmor.ts';
import type { OomLedger } from './cgroup/oom-ledger.ts';
import type { CriuProbe } from './checkpoint/criu.ts';
import type { Container, ContainerRecord } from './container.ts';
import type { Debts } from './debts.ts';
import type { Directory } from './directory.ts';
import type { EventQueue } from './event-queue.ts';
import type { Handlers } from './handlers.ts';
import type { LogCap } from './log-cap.ts';
import type { Monitor } from './monitor.ts';
import type { PodEvent } from './pods.ts';
import type { PodPaths } from './paths.ts';
import type { Sessions } from './sessions.ts';
import type { PodSettings } from './settings.ts';
import type { Reservations } from './reservations.ts';
import type { Sandbox, SandboxRecord } from './sandbox.ts';

/** What the operations on pods work with: the parts of the house, put together once at start. */
export interface Parts {
  readonly settings: PodSettings;
  readonly paths: PodPaths;
  readonly clock: Clock;
  readonly log: Log;
  readonly stages: StageSink;
  readonly exits: ExitWatcher;
  readonly apparmor: Apparmor;
  /** Where cgroups vanish with their containers: systemd's on v2. */
  readonly oomLedger: OomLedger | undefined;
  readonly criu: CriuProbe;
  readonly images: Images;
  readonly network: PodNetwork;
  readonly monitor: Monitor;
  readonly logCap: LogCap;
  readonly handlers: Handlers;
  readonly debts: Debts;
  readonly events: EventQueue<PodEvent>;
  readonly sandboxRecords: RecordTable<SandboxRecord>;
  readonly containerRecords: RecordTable<ContainerRecord>;
  readonly sandboxes: Directory<Sandbox>;
  readonly containers: Directory<Container>;
  /** Commands with streams and attachments. */
  readonly sessions: Sessions;
  readonly sandboxReservations: Reservations;
  readonly containerReservations: Reservations;
}
