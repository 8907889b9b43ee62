import { Fault } from '../../ground/fault.ts';
import type { OciSpec } from '../spec/oci-spec.ts';

/** What a checkpoint says of its container (`config.dump`), in the names that the peers and checkpointctl read. */
export interface CheckpointedContainer {
  id: string;
  name: string;
  /** As it was asked for. */
  rootfsImage: string;
  /** Its digest reference. */
  rootfsImageRef: string;
  rootfsImageName: string;
  runtime: string;
  createdTime: string;
  checkpointedTime: string;
  restored: boolean;
}

/** The parts of the checkpointed container's config.json (`spec.dump`) that a restore looks at. */
export type CheckpointedSpec = Pick<OciSpec, 'process' | 'mounts'> & {
  annotations?: OciSpec['annotations'];
  linux?: Pick<OciSpec['linux'], 'seccomp' | 'namespaces'>;
};

/** What stands in an archive besides files and memory. */
export interface CheckpointMetadata {
  config: Pick<CheckpointedContainer, 'name' | 'rootfsImageRef' | 'rootfsImageName' | 'checkpointedTime'>;
  spec: CheckpointedSpec;
  /** Paths below the root, without a slash in front, that the container had deleted from its image. */
  deleted: string[];
}

/** Reads an archive's descriptions, which may be anybody's. Throws `invalid` for what they cannot be. */
export function checkpointMetadata(files: {
  config: Buffer;
  spec: Buffer;
  deleted: Buffer | undefined;
}): CheckpointMetadata {
  const config = objectIn('config.dump', files.config);
  const spec = objectIn('spec.dump', files.spec) as Partial<CheckpointedSpec>;
  const { process, mounts } = spec;
  if (!isStrings(process?.args) || !isStrings(process.env) || typeof process.cwd !== 'string')
    throw damaged('spec.dump', 'has no process');
  if (typeof process.user?.uid !== 'number' || typeof process.user.gid !== 'number')
    throw damaged('spec.dump', "does not say who the process's user is");
  if (!Array.isArray(mounts) || mounts.some((mount) => typeof mount?.destination !== 'string'))
    throw damaged('spec.dump', 'has no list of mounts');
  const { linux } = spec;
  if (linux?.namespaces !== undefined && !Array.isArray(linux.namespaces))
    throw damaged('spec.dump', 'has no list of namespaces');
  const deleted: unknown = files.deleted === undefined ? [] : (parsed('deleted.files', files.deleted) ?? []);
  if (!isStrings(deleted)) throw damaged('deleted.files', 'is no list of paths');
  return {
    config: {
      name: textIn(config, 'name'),
      rootfsImageRef: textIn(config, 'rootfsImageRef'),
      rootfsImageName: textIn(config, 'rootfsImageName'),
      checkpointedTime: textIn(config, 'checkpointedTime'),
    },
    spec: {
      process,
      mounts,
      ...(spec.annotations && { annotations: spec.annotations }),
      ...(spec.linux && { linux: spec.linux }),
    },
    deleted,
  };
}

function objectIn(name: string, bytes: Buffer): Record<string, unknown> {
  const value = parsed(name, bytes);
  if (value === null || typeof value !== 'object') throw damaged(name, 'holds no object');
  return value as Record<string, unknown>;
}

function parsed(name: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    throw new Fault('invalid', `Its ${name} is not JSON`, { cause });
  }
}

function textIn(object: Record<string, unknown>, key: string): string {
  const value = object[key];
  return typeof value === 'string' ? value : '';
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function damaged(name: string, what: string): Fault {
  return new Fault('invalid', `Its ${name} ${what}`);
}
