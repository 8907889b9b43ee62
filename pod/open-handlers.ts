import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { Limit } from '../ground/limit.ts';
import type { Log } from '../ground/log.ts';
import type { RecordStore } from '../ground/records.ts';
import type { Images } from '../image/images.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { findExecutable } from '../native/spawn.ts';
import { messageOf } from '../ground/fault.ts';
import { createPodCgroup, removePodCgroup } from './cgroup/pod-cgroup.ts';
import { probeRuntime, sweepTrials, UNTRIED, type ProbeResult } from './handler-probe.ts';
import { Handlers, type Handler } from './handlers.ts';
import { OciDriver } from './oci-driver.ts';
import type { PodPaths } from './paths.ts';
import type { HandlerStatus } from './pods.ts';
import { ProbeMemory } from './probe-memory.ts';
import { InprocessSandboxMaker } from './sandbox-maker-inprocess.ts';
import { OciSandboxMaker } from './sandbox-maker-oci.ts';
import type { PodSettings } from './settings.ts';
import { closedDirectory, openProbeUserns } from './userns/probe.ts';

export interface OpenHandlersOptions {
  settings: PodSettings;
  paths: PodPaths;
  records: RecordStore;
  exits: ExitWatcher;
  images: Images;
  log: Log;
  bootId: string;
  /** Of Berth: another one may try out other things. */
  version: string;
}

/**
 * The handlers of this node. What was found out about them under the same circumstances holds at once; the others are
 * tried out when `tried` is first called, which takes some hundred milliseconds. The thread that makes sandboxes begins
 * then, too.
 */
export function openHandlers(options: OpenHandlersOptions): Handlers {
  const { settings, paths, exits, log } = options;
  const limit = new Limit(Math.max(settings.maxRuntimeChildren, availableParallelism()));
  const inprocess = new InprocessSandboxMaker({ exits });
  const memory = new ProbeMemory(options.records, {
    bootId: options.bootId,
    berth: options.version,
    cgroupDriver: settings.cgroupDriver,
    cgroupParent: settings.cgroupParent,
    closed: closedDirectory(paths.state) ?? '',
  });
  const untried: Handler[] = [];
  const all = Object.entries(settings.handlers).map(([name, { path, sandbox, exec }]): Handler => {
    const runtime = new OciDriver({
      name,
      path: findExecutable(path) ?? path,
      root: join(paths.oci, name),
      systemdCgroup: settings.cgroupDriver === 'systemd',
      exits,
      limit,
    });
    const { cgroupDriver } = settings;
    const maker =
      sandbox === 'inprocess'
        ? inprocess
        : new OciSandboxMaker({ runtime, exits, state: paths.pauses, cgroupDriver });
    const known = memory.recall(runtime);
    const status = { name, path: runtime.path, isDefault: false, ...(known ?? UNTRIED) };
    const handler = {
      status,
      runtime,
      maker,
      exec: exec === 'auto' ? usualExec(runtime.path) : exec,
    } as const;
    if (known === undefined) untried.push(handler);
    return handler;
  });
  const handlers = new Handlers(all, async () => {
    inprocess
      .start()
      .catch((error: unknown) =>
        log.error({ error: messageOf(error) }, 'Sandboxes cannot be made in process'),
      );
    if (untried.length === 0) return;
    await tryAll(untried, inprocess, options);
    try {
      for (const { runtime, status } of untried) memory.keep(runtime, status);
    } catch (error) {
      // On a full disk, say: the next start tries them again.
      log.warn({ error: messageOf(error) }, 'What is known of the runtime handlers cannot be kept');
    }
    handlers.choose(settings, log);
  });
  if (untried.length === 0) handlers.choose(settings, log);
  return handlers;
}

/** Never rejects: what fails is a handler that cannot be used. */
async function tryAll(
  untried: Handler[],
  inprocess: InprocessSandboxMaker,
  options: OpenHandlersOptions,
): Promise<void> {
  const { settings, paths, exits, log } = options;
  const { cgroupDriver, cgroupParent } = settings;
  try {
    for (const { runtime, status } of untried)
      await sweepTrials(runtime, join(paths.oci, status.name), paths.state);
    // Made here once, so that the probes do not take it away from each other.
    const cgroup = createPodCgroup(cgroupParent);
    {
      using probe = await openProbeUserns(exits, paths.state, options.images);
      const { userns } = probe;
      const scratch = paths.state;
      await Promise.all(
        untried.map(async ({ runtime, status, maker }) => {
          const circumstances = { exits, scratch, cgroupDriver, cgroupParent, userns };
          Object.assign(status, await probeRuntime(runtime, circumstances));
          if (maker === inprocess && status.usable) await inprocess.start().catch(cannotMake(status));
        }),
      );
    }
    await removePodCgroup(cgroup);
  } catch (error) {
    const reason = messageOf(error);
    log.error({ error: reason }, 'The runtime handlers cannot be tried');
    const failed: Partial<ProbeResult> = { reason, noUserNamespaces: reason };
    for (const { status } of untried) if (!status.usable) Object.assign(status, failed);
  }
}

function cannotMake(status: HandlerStatus): (error: unknown) => void {
  return (error) => Object.assign(status, { usable: false, reason: messageOf(error) });
}

/** Other runtimes may put something else around a container than namespaces and cgroups: a virtual machine. */
function usualExec(path: string): 'inprocess' | 'oci' {
  return ['crun', 'runc'].includes(basename(path)) ? 'inprocess' : 'oci';
}
