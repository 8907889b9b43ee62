import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, messageOf } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { nodeHierarchy } from '../cgroup/hierarchy.ts';
import type { ContainerConfig } from '../config.ts';
import type { ContainerRecord } from '../container.ts';
import type { Handler } from '../handlers.ts';
import type { Parts } from '../parts.ts';
import { podUserns, type Sandbox } from '../sandbox.ts';
import { sandboxHostname } from '../sandbox-release.ts';
import type { OciSpec } from '../spec/oci-spec.ts';
import type { CheckpointMetadata } from './metadata.ts';
import { setHostName } from './host-name.ts';
import { checkpointIn, unpackInto, type NamedCheckpoint } from './reader.ts';

/*
 * The parts of CreateContainer that a container from a checkpoint needs besides the usual ones: where its image comes
 * from, what lies in its writable layer, and a specification that fits what criu will put into it. Its process is made
 * by StartContainer (`run-restore.ts`).
 */

/** What criu takes for options beside those of the OCI runtime (runc's docs/checkpoint-restore.md). */
const CRIU_OPTIONS = '/etc/criu/runc.conf';
const OPTIONS_ANNOTATION = 'org.criu.config';

/**
 * Opens the checkpoint that a container names as its image: an archive by its path, or an image that has one in it.
 * Throws the Faults of `readCheckpoint`, `not-found` when the image below it is not here, `precondition` where nothing
 * can be restored, `unimplemented` for pods with a user namespace.
 */
export async function openCheckpoint(
  parts: Parts,
  sandbox: Sandbox,
  handler: Handler,
  wanted: string,
  signal: AbortSignal,
): Promise<Checkpoint> {
  if (podUserns(sandbox.record.config) !== undefined)
    throw new Fault('unimplemented', 'No container is restored into a pod with a user namespace', {
      hint: 'a pod without `hostUsers: false` takes it',
    });
  const checkpoint = placeOf(parts, wanted);
  const metadata = await checkpointIn(checkpoint, signal);
  await handler.runtime.requireRestore();
  await parts.criu.require();
  return new Checkpoint(checkpoint, metadata, baseImage(parts, wanted, metadata));
}

function placeOf(parts: Parts, wanted: string): NamedCheckpoint {
  if (wanted.startsWith('/')) return { name: wanted, place: { archive: wanted } };
  const name = JSON.stringify(wanted);
  if (!parts.settings.checkpointImages)
    throw new Fault(
      'precondition',
      `The image ${name} is a checkpoint, and this node restores none from images`,
      {
        hint: 'set checkpoint_images = "on" under [runtime] if you trust whoever may name an image: what is in it decides what its processes may do',
      },
    );
  const { image, layers } = parts.images.inspect(wanted);
  if (layers.length !== 1)
    throw new Fault(
      'invalid',
      `The image ${name} is a checkpoint of ${layers.length} layers, and not of one`,
    );
  return { name, place: { layer: layers[0]!.directory }, imageId: image.id };
}

/** A checkpoint on its way to be a container again. */
export class Checkpoint {
  readonly #checkpoint: NamedCheckpoint;
  readonly #metadata: CheckpointMetadata;
  /** The image that its container was made from. */
  readonly base: string;

  constructor(checkpoint: NamedCheckpoint, metadata: CheckpointMetadata, base: string) {
    this.#checkpoint = checkpoint;
    this.#metadata = metadata;
    this.base = base;
  }

  /** Fills the container's snapshot, which is not mounted yet. */
  async lay(parts: Parts, sandbox: Sandbox, record: ContainerRecord, signal: AbortSignal): Promise<void> {
    const { snapshots } = parts.images;
    const { id } = record;
    const images = snapshots.scratch(id, 'restore');
    record.restore = { from: this.#checkpoint.name, images, begun: false };
    const { deleted } = this.#metadata;
    const { imageId } = this.#checkpoint;
    const holder = `${id}.checkpoint`;
    if (imageId !== undefined) parts.images.hold(imageId, holder);
    try {
      const into = { images, upper: snapshots.writable(id), lower: snapshots.lower(id), deleted };
      await unpackInto(this.#checkpoint, into, signal);
    } finally {
      if (imageId !== undefined) parts.images.release(holder);
    }
    setHostName(images, sandboxHostname(sandbox.record.config));
  }

  /** What the process runs is what it ran. */
  config(config: ContainerConfig): ContainerConfig {
    const { args, cwd } = this.#metadata.spec.process;
    return { ...config, command: args, args: [], workingDir: cwd };
  }

  /**
   * The specification, with criu's options beside it in `bundle`. criu brings processes and mounts as they were,
   * whatever the specification says: so what it says has to be the same, and a process has no more power than the
   * configuration gives. Throws `precondition` where that is not so.
   */
  spec(spec: OciSpec, bundle: string, cgroup: string): OciSpec {
    requireSameNamespaces(spec, this.#metadata);
    requireSameMounts(spec, this.#metadata);
    requireNoMorePower(spec, this.#metadata);
    const options = join(bundle, 'criu.conf');
    // On cgroup v2 criu would put the processes where they were.
    const root = nodeHierarchy().version === 2 ? `cgroup-root ${cgroup}\n` : '';
    writeFileSync(options, `${ownOptions()}${root}`, { mode: 0o600 });
    return {
      ...spec,
      process: { ...spec.process, env: this.#metadata.spec.process.env },
      annotations: { ...spec.annotations, [OPTIONS_ANNOTATION]: options },
    };
  }
}

/** By what never changes: under the same tag there may be another image today. */
function baseImage(parts: Parts, archive: string, { config }: CheckpointMetadata): string {
  const { rootfsImageRef, rootfsImageName } = config;
  const exact = [rootfsImageRef, ...(rootfsImageName.includes('@') ? [rootfsImageName] : [])].filter(Boolean);
  const here = exact.find((reference) => isHere(parts, reference));
  if (here !== undefined) return here;
  const name = JSON.stringify(exact[0] ?? rootfsImageName);
  throw new Fault(
    'not-found',
    `The image ${name}, on which the checkpoint ${archive} stands, is not on this node`,
    {
      hint: 'pull that image first',
    },
  );
}

function isHere(parts: Parts, reference: string): boolean {
  try {
    return parts.images.find(reference) !== undefined;
  } catch (error) {
    if (error instanceof Fault && error.kind === 'invalid') return false;
    throw error;
  }
}

/** What it shares with its pod or the node, and what is its own. */
function requireSameNamespaces(spec: OciSpec, { spec: before }: CheckpointMetadata): void {
  const kinds = (linux: Pick<OciSpec['linux'], 'namespaces'> | undefined): string =>
    (linux?.namespaces ?? [])
      .map(({ type, path }) => (path === undefined ? `${type} of its own` : `${type} of the pod`))
      .toSorted()
      .join(', ');
  const [then, now] = [kinds(before.linux), kinds(spec.linux)];
  if (then !== now) throw unlike(`has other namespaces (${then})`, `asks for ${now}`);
}

function requireSameMounts(spec: OciSpec, { spec: before }: CheckpointMetadata): void {
  const [then, now] = [binds(before.mounts), binds(spec.mounts)];
  const missing = [...then].filter((path) => !now.has(path));
  if (missing.length > 0)
    throw new Fault(
      'precondition',
      `The checkpoint has mounts that are not asked for: ${missing.join(', ')}`,
      {
        hint: 'a restored container needs the mounts that it had',
      },
    );
  const added = [...now].filter((path) => !then.has(path));
  if (added.length > 0)
    throw new Fault(
      'precondition',
      `The checkpoint does not have mounts that are asked for: ${added.join(', ')}`,
      {
        hint: 'a restored container has the mounts that it had, and no others',
      },
    );
}

/** Paths of what is bound from elsewhere; all else is the container's own, and in the checkpoint. */
function binds(mounts: OciSpec['mounts']): Set<string> {
  const bound = mounts.filter(
    ({ type, options }) => type === 'bind' || (options ?? []).some((option) => /^r?bind$/.test(option)),
  );
  return new Set(bound.map(({ destination }) => destination));
}

function requireNoMorePower(spec: OciSpec, { spec: before }: CheckpointMetadata): void {
  const [then, now] = [before.process, spec.process];
  const ids = ({ user }: Pick<OciSpec['process'], 'user'>): string => `${user.uid}:${user.gid}`;
  if (ids(then) !== ids(now)) throw unlike(`runs as user ${ids(then)}`, `asks for ${ids(now)}`);
  const given = new Set(now.capabilities.bounding);
  const more = (then.capabilities?.bounding ?? []).filter((capability) => !given.has(capability));
  if (more.length > 0) throw unlike(`has ${more.join(', ')}`, 'does not give that');
  if (now.noNewPrivileges && !then.noNewPrivileges)
    throw unlike('may gain privileges', 'forbids that (no_new_privs)');
  if (spec.linux.seccomp !== undefined && before.linux?.seccomp === undefined && !hasFilter(before))
    throw unlike('may make all system calls', 'has a seccomp profile');
  if (now.apparmorProfile !== undefined && then.apparmorProfile !== now.apparmorProfile)
    throw unlike(
      `has the AppArmor profile ${JSON.stringify(then.apparmorProfile ?? 'unconfined')}`,
      `asks for ${JSON.stringify(now.apparmorProfile)}`,
    );
  if (then.terminal !== now.terminal)
    throw unlike(`has ${then.terminal ? 'a' : 'no'} terminal`, `asks for ${now.terminal ? 'one' : 'none'}`);
}

/** crun is given filters in an annotation, already compiled. */
function hasFilter(before: CheckpointMetadata['spec']): boolean {
  return before.annotations?.['run.oci.seccomp_bpf_data'] !== undefined;
}

function unlike(then: string, now: string): Fault {
  return new Fault('precondition', `The process in the checkpoint ${then}, and the configuration ${now}`, {
    hint: 'a restored process is as it was',
  });
}

function ownOptions(): string {
  try {
    return `${readFileSync(CRIU_OPTIONS, 'utf8')}\n`;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return '';
    throw new Fault('precondition', `${CRIU_OPTIONS} cannot be read: ${messageOf(error)}`);
  }
}
