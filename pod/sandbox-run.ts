import { mkdirSync } from 'node:fs';
import { hostname as nodeHostname } from 'node:os';
import { Fault, faultAt, messageOf } from '../ground/fault.ts';
import { inStages, type Progress } from '../ground/progress.ts';
import { inTime } from '../ground/wait.ts';
import { isErrno } from '../native/errno.ts';
import { mountTmpfs } from '../native/mount.ts';
import { joinPodCgroup, planPodCgroup } from './cgroup/pod-cgroup.ts';
import { parentPath } from './cgroup/paths.ts';
import type { SandboxConfig } from './config.ts';
import { newId, shortId } from './directory.ts';
import { announceSandbox } from './events.ts';
import { checkedHostname, resolvConf, writePodFiles } from './files.ts';
import type { Handler } from './handlers.ts';
import { checkSandboxNamespaces } from './namespace-rules.ts';
import type { Parts } from './parts.ts';
import { ownNamespaces, podRoot, podUserns, Sandbox, sandboxName, type SandboxRecord } from './sandbox.ts';
import {
  attachRequest,
  cgroupParent,
  cgroupsOfOthers,
  releaseSandbox,
  sandboxHostname,
  sandboxRequest,
} from './sandbox-release.ts';
import { removeSandbox } from './sandbox-remove.ts';
import { localhostProfile } from './spec/seccomp/localhost-profile.ts';
import { labelFile, newPodLevel, podFileLabel, sharedFileLabel } from './selinux.ts';
import { checkSelinuxOptions } from './spec/selinux.ts';
import { checkSysctls } from './sysctls.ts';
import { watchSandbox } from './sandbox-watch.ts';

/** Size of a pod's /dev/shm, as the peers give it. */
const SHM_BYTES = 64 * 1024 * 1024;

/**
 * RunPodSandbox: makes a pod's namespaces, pause, network and cgroup, and answers with its id. A second call with the
 * same name and attempt joins the running one. When it fails nothing is left, or what is left can be seen and removed.
 * Throws `invalid` for a configuration or handler that cannot be served, `exists` for a taken name.
 */
export async function runSandbox(
  parts: Parts,
  config: SandboxConfig,
  handlerName: string,
  signal?: AbortSignal,
): Promise<string> {
  const handler = parts.handlers.pick(handlerName);
  checkSandboxConfig(config, parts.settings.seccompRoot);
  if (podUserns(config) !== undefined) requireUserns(handler);
  checkedHostname(sandboxHostname(config));
  // Refuses a parent that the driver in force does not take.
  parentPath(parts.settings.cgroupDriver, cgroupParent(parts, config));
  if (config.dns !== undefined) resolvConf(config.dns);
  const name = sandboxName(config);
  return parts.sandboxReservations.create(
    name,
    () => {
      const holder = [...parts.sandboxes.values()].find((sandbox) => sandbox.name === name);
      if (holder === undefined) return undefined;
      const { adoptable } = holder;
      holder.adoptable = false;
      return { id: holder.id, adoptable };
    },
    () => inTime(parts.settings.createTimeoutMs, (limit) => makeSandbox(parts, config, handler, limit)),
    (id) => keepForAdoption(parts, id),
    signal,
  );
}

function checkSandboxConfig(config: SandboxConfig, seccompRoot: string): void {
  const { security } = config;
  checkSandboxNamespaces(config);
  checkSelinuxOptions(security.selinux);
  // Pause's own filter lets through less than any profile could; a profile that is not there is still a mistake.
  if (security.seccomp?.type === 'localhost') localhostProfile(seccompRoot, security.seccomp.localhostRef);
  const own = ownNamespaces(config);
  checkSysctls(config.sysctls, own);
  if (
    !own.net &&
    config.portMappings.some(({ hostPort, containerPort }) => hostPort > 0 && hostPort !== containerPort)
  ) {
    throw new Fault(
      'invalid',
      "A pod on the node's network cannot map a host port to another container port",
    );
  }
}

async function makeSandbox(
  parts: Parts,
  config: SandboxConfig,
  handler: Handler,
  signal: AbortSignal,
): Promise<string> {
  const record: SandboxRecord = {
    id: newId(),
    handler: handler.status.name,
    config,
    phase: 'creating',
    createdAtNs: parts.clock.nowNs(),
    released: false,
    selinuxLevel: newPodLevel(config, parts.sandboxes.values()),
  };
  record.cgroup = planPodCgroup(cgroupParent(parts, config), record.id, cgroupsOfOthers(parts, record.id));
  const sandbox = new Sandbox(record);
  return inStages(parts.stages, 'RunPodSandbox', record.id, sandbox.subject, async (at) => {
    await at.stage('reserve', () => parts.sandboxes.add(sandbox));
    try {
      await at.stage('record', () => parts.sandboxRecords.put(record.id, record));
      await buildSandbox(parts, at, sandbox, handler, signal);
    } catch (error) {
      await unmakeSandbox(parts, sandbox, error);
      throw error;
    }
    return record.id;
  });
}

async function buildSandbox(
  parts: Parts,
  at: Progress,
  sandbox: Sandbox,
  handler: Handler,
  signal: AbortSignal,
): Promise<void> {
  const { record } = sandbox;
  const { id, config } = record;
  const own = ownNamespaces(config);
  // The maker works on a thread of its own: the files are written meanwhile, and the network is made while pause starts.
  let making: Making | undefined;
  try {
    await at.stage('sandbox', async () => {
      making = beginMaking(parts, sandbox, handler, signal);
      prepareFiles(parts, record);
      await (own.net ? making.pinned : making.made);
    });
    if (own.net) {
      await at.stage('network', async () => {
        record.attachment = await parts.network.attach(attachRequest(parts, record), signal);
      });
    }
  } finally {
    // Also after a failure: what is on its way can only be undone when it is there.
    await making?.made;
  }
  await at.stage('commit', async () => {
    if (!handler.maker.alive(record.made!)) throw new Fault('internal', 'The pause process ended at once');
    record.phase = 'ready';
    parts.sandboxRecords.put(id, record);
    announceSandbox(parts, sandbox, 'created');
    announceSandbox(parts, sandbox, 'started');
  });
  watchSandbox(parts, sandbox);
  if (!handler.maker.entersCgroup) accountPause(parts, sandbox);
}

/** Promises of the maker's work. Both reject with the Fault of the stage `sandbox` when it fails. */
interface Making {
  /** The network namespace is complete, and pinned. */
  pinned: Promise<void>;
  /** Pause has started, and stands in the record. */
  made: Promise<void>;
}

function beginMaking(parts: Parts, sandbox: Sandbox, { maker }: Handler, signal: AbortSignal): Making {
  const { record, subject } = sandbox;
  const { promise, resolve } = Promise.withResolvers<void>();
  const made = maker.make(sandboxRequest(parts, record), signal, resolve).then(
    (made) => void (record.made = made),
    (error: unknown) => {
      throw faultAt(error, subject, 'sandbox');
    },
  );
  const pinned = Promise.race([promise, made]);
  // Whoever fails before has an error to tell already.
  pinned.catch(() => undefined);
  return { pinned, made };
}

/** What a sandbox has on disk: its log directory, the files that its containers share, /dev/shm. */
function prepareFiles(parts: Parts, { id, config, selinuxLevel }: SandboxRecord): void {
  if (config.logDirectory !== '') mkdirSync(config.logDirectory, { recursive: true, mode: 0o755 });
  mkdirSync(parts.paths.sandbox(id), { mode: 0o711 });
  const own = ownNamespaces(config);
  const root = podRoot(config);
  const files = writePodFiles(parts.paths.sandbox(id), {
    hostname: own.net ? sandboxHostname(config) : nodeHostname(),
    dns: config.dns,
    nodeHosts: !own.net,
    owner: root,
  });
  const shared = sharedFileLabel();
  if (shared !== undefined) for (const path of Object.values(files)) labelFile(path as string, shared);
  if (!own.ipc) return;
  mkdirSync(parts.paths.shm(id), { mode: 0o1777 });
  const owner = root === undefined ? '' : `,uid=${root.uid},gid=${root.gid}`;
  const label = shared === undefined ? '' : `,context="${podFileLabel(selinuxLevel)}"`;
  mountTmpfs(parts.paths.shm(id), `mode=1777,size=${SHM_BYTES}${owner}${label}`);
}

/** A handler for pods with a user namespace. Throws `precondition` that says why it cannot be one. */
function requireUserns({ status }: Handler): void {
  if (status.features.userNamespaces) return;
  throw new Fault(
    'precondition',
    `The runtime handler ${status.name} cannot give a pod a user namespace here`,
    {
      hint: status.noUserNamespaces,
    },
  );
}

/**
 * Moves pause into the pod's cgroup. Nobody waits for it: the first write takes several milliseconds (the kernel's
 * threadgroup lock), and pause uses next to nothing that could be accounted.
 */
function accountPause(parts: Parts, { record }: Sandbox): void {
  joinPodCgroup(record.cgroup!, record.made!.pid).catch((error: unknown) => {
    // A sandbox that is stopped at once takes pause and cgroup away meanwhile.
    if (record.phase !== 'ready' || isErrno(error, 'ESRCH')) return;
    parts.log.warn({ sandbox: record.id, error: messageOf(error) }, "pause could not join the pod's cgroup");
  });
}

/** Undoes a create that failed. When even that failed the sandbox stays visible as not ready, so that it can be removed. */
async function unmakeSandbox(parts: Parts, sandbox: Sandbox, error: unknown): Promise<void> {
  parts.log.warn({ sandbox: sandbox.id, error: messageOf(error) }, 'sandbox could not be made');
  await releaseSandbox(parts, sandbox.record);
  parts.sandboxRecords.delete(sandbox.id);
  parts.sandboxes.delete(sandbox.id);
}

/** Nobody waited for this sandbox: the retry of the call gets it, or it goes away untouched. */
function keepForAdoption(parts: Parts, id: string): void {
  const sandbox = parts.sandboxes.lookup(id);
  if (sandbox === undefined) return;
  sandbox.adoptable = true;
  const timer = setTimeout(() => {
    if (!sandbox.adoptable || sandbox.containers.size > 0) return;
    parts.log.info({ sandbox: shortId(id) }, 'nobody asked again for this sandbox: removing it');
    removeSandbox(parts, id).catch((error: unknown) => {
      parts.log.warn({ sandbox: id, error: messageOf(error) }, 'could not remove the sandbox');
    });
  }, parts.settings.adoptionMs);
  timer.unref();
}
