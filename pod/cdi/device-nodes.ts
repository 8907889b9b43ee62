import { lstatSync, statSync, type Stats } from 'node:fs';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { deviceNumbers } from '../spec/device-numbers.ts';
import type { CdiDeviceNode, CdiEdits } from './spec.ts';

/** A node with all that the OCI runtime needs; owners that nobody named are the container's user's matter. */
export interface FoundNode extends CdiDeviceNode {
  type: 'b' | 'c' | 'p';
  fileMode: number;
}

/** Edits whose device nodes were looked up on the node. */
export interface FoundEdits extends Omit<CdiEdits, 'deviceNodes'> {
  deviceNodes: FoundNode[];
}

/**
 * Adds to the device nodes what their files leave out: type, numbers and mode of the node's own device (CDI
 * specification, `deviceNodes`). Throws `invalid` for a device that the node does not have, and `precondition` where it
 * is another one than the file says.
 */
export function findDeviceNodes(edits: CdiEdits[]): FoundEdits[] {
  return edits.map((one) => ({ ...one, deviceNodes: (one.deviceNodes ?? []).map(found) }));
}

function found(node: CdiDeviceNode): FoundNode {
  const path = node.hostPath ?? node.path;
  const named = node.type === 'u' ? 'c' : node.type === '' ? undefined : node.type;
  // A pipe has no numbers to look up; a device whose numbers are given need not be there yet.
  if (named !== undefined && (named === 'p' || (node.major ?? node.minor) !== undefined))
    return { ...node, type: named, fileMode: node.fileMode ?? 0o600 };
  const stats = statOf(path);
  const type = stats.isCharacterDevice()
    ? 'c'
    : stats.isBlockDevice()
      ? 'b'
      : stats.isFIFO()
        ? 'p'
        : undefined;
  if (type === undefined) throw new Fault('invalid', `${path}, which a CDI file names, is not a device`);
  if (named !== undefined && named !== type)
    throw new Fault('precondition', `${path} is of type ${type}, and its CDI file says ${named}`);
  return {
    ...node,
    type,
    ...(type === 'p' ? {} : deviceNumbers(stats.rdev)),
    fileMode: node.fileMode ?? stats.mode & 0o7777,
  };
}

function statOf(path: string): Stats {
  try {
    // Links are looked at once: what a driver links to below /dev is a device.
    return lstatSync(path).isSymbolicLink() ? statSync(path) : lstatSync(path);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw cause;
    throw new Fault('invalid', `The device ${path}, which a CDI file names, is not on this node`, { cause });
  }
}
