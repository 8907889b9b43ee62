import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { giveToRoot } from '../native/id-mapping.ts';
import { bindMount, umount } from '../native/mount.ts';
import { removePin } from '../native/namespaces.ts';
import { killProcess, processAlive, processStartTime } from '../native/pidfd.ts';
import { SIG } from '../native/signals.ts';
import { ociCgroupsPath, type CgroupDriver } from './cgroup/paths.ts';
import { makePodCgroup } from './cgroup/pod-cgroup.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { PAUSE_NAME } from './pause/name.ts';
import { pauseProgram } from './pause/build.ts';
import { ociIdMappings } from './spec/user-namespace.ts';
import type { MadeSandbox, SandboxMaker, SandboxRequest } from './sandbox-maker.ts';

export interface OciSandboxMakerOptions {
  runtime: OciRuntime;
  exits: ExitWatcher;
  /** Directory for the bundles. */
  state: string;
  cgroupDriver: CgroupDriver;
}

/**
 * Lets the OCI runtime start pause: for handlers that bring their own sandbox. Slower by the runtime's own time, and
 * the same to all other rooms.
 */
export class OciSandboxMaker implements SandboxMaker {
  readonly entersCgroup = true;
  readonly #options: OciSandboxMakerOptions;

  constructor(options: OciSandboxMakerOptions) {
    this.#options = options;
  }

  async make(request: SandboxRequest, signal?: AbortSignal): Promise<MadeSandbox> {
    const { runtime, cgroupDriver } = this.#options;
    const bundle = this.#bundle(request.id);
    const rootfs = join(bundle, 'rootfs');
    if (request.cgroup !== undefined) makePodCgroup(request.cgroup);
    // Mount points of what the runtimes themselves need inside.
    for (const name of ['dev', 'proc']) mkdirSync(join(rootfs, name), { recursive: true, mode: 0o755 });
    try {
      if (request.userns !== undefined)
        for (const name of ['.', 'dev', 'proc']) giveToRoot(join(rootfs, name), request.userns);
      writeFileSync(join(rootfs, PAUSE_NAME), pauseProgram(), { mode: 0o755 });
      writeFileSync(
        join(bundle, 'config.json'),
        JSON.stringify(
          pauseSpec(request, ociCgroupsPath(cgroupDriver, request.cgroupParent, `pause-${request.id}`)),
        ),
      );
      await runtime.create(request.id, bundle, join(bundle, 'pid'), signal);
      const pid = Number.parseInt(readFileSync(join(bundle, 'pid'), 'utf8'), 10);
      await runtime.start(request.id, signal);
      const startTime = processStartTime(pid);
      if (startTime === undefined) throw new Fault('internal', 'The pause process ended at once');
      if (request.netnsPin !== undefined) pin(pid, request.netnsPin);
      return { pid, startTime };
    } catch (error) {
      await this.destroy(request, undefined);
      throw error;
    }
  }

  async destroy(request: SandboxRequest, made: MadeSandbox | undefined): Promise<void> {
    if (made !== undefined && killProcess(made.pid, made.startTime, SIG.SIGKILL)) await this.exited(made);
    await this.#options.runtime.delete(request.id, { force: made === undefined });
    if (request.netnsPin !== undefined) removePin(request.netnsPin);
    rmSync(this.#bundle(request.id), { recursive: true, force: true });
  }

  alive(made: MadeSandbox): boolean {
    return processAlive(made.pid, made.startTime);
  }

  async exited(made: MadeSandbox): Promise<void> {
    if (this.alive(made)) await this.#options.exits.watch(made.pid);
  }

  async close(): Promise<void> {}

  #bundle(id: string): string {
    return join(this.#options.state, id);
  }
}

function pin(pid: number, target: string): void {
  writeFileSync(target, '');
  try {
    bindMount(`/proc/${pid}/ns/net`, target);
  } catch (error) {
    umount(target);
    rmSync(target, { force: true });
    throw error;
  }
}

/** Pause as an OCI container: no power, one file, the namespaces that the pod has for itself. */
function pauseSpec(request: SandboxRequest, cgroupsPath: string): object {
  const { net, ipc, pid } = request.namespaces;
  const { userns } = request;
  const types = [
    'mount',
    ...(userns === undefined ? [] : ['user']),
    ...(net ? ['network', 'uts'] : []),
    ...(ipc ? ['ipc'] : []),
    // A proc file system shows a PID namespace, and only the user namespace that owns that one may mount it.
    ...(pid || userns !== undefined ? ['pid'] : []),
  ];
  return {
    ociVersion: '1.0.2',
    root: { path: 'rootfs', readonly: true },
    ...(net ? { hostname: request.hostname } : {}),
    process: {
      terminal: false,
      // Pause gives up what it has by itself: to become nobody it must not be that already.
      user: { uid: 0, gid: 0 },
      args: [`/${PAUSE_NAME}`, request.id],
      env: [],
      cwd: '/',
      noNewPrivileges: true,
      capabilities: PAUSE_CAPABILITIES,
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'noexec', 'mode=755', 'size=64k'],
      },
    ],
    annotations: request.annotations ?? {},
    linux: {
      namespaces: types.map((type) => ({ type })),
      ...(userns === undefined ? {} : ociIdMappings(userns)),
      sysctl: request.sysctls,
      cgroupsPath,
      resources: { devices: [{ allow: false, access: 'rwm' }] },
    },
  };
}

const PAUSE_POWERS = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'];
const PAUSE_CAPABILITIES = { bounding: PAUSE_POWERS, effective: PAUSE_POWERS, permitted: PAUSE_POWERS };
