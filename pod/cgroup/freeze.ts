import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import { isErrno } from '../../native/errno.ts';
import { cgroupFrozen } from './frozen.ts';
import { controllerDirectory, nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';

const FREEZE_LIMIT_MS = 10_000;
const LOOK_MS = 10;
/** Looks. */
const AGAIN_AFTER = 20;

/**
 * Stops the processes of a cgroup until `thawCgroup`, and resolves when they stand still. Where there is no freezer
 * nothing is done. Throws `deadline` when they do not stop within ten seconds, and thaws.
 */
export async function freezeCgroup(path: string, signal?: AbortSignal): Promise<void> {
  const hierarchy = nodeHierarchy();
  const freezer = controllerDirectory(hierarchy, 'freezer', path);
  if (freezer === undefined) return;
  const frozen = hierarchy.version === 1 ? setFrozen(freezer, 'FROZEN') : setFrozenV2(freezer, '1');
  if (!frozen) return;
  try {
    const end = performance.now() + FREEZE_LIMIT_MS;
    for (let looks = 1; !standsStill(path, freezer, hierarchy); looks++) {
      if (performance.now() > end)
        throw new Fault('deadline', `The cgroup ${path} cannot be frozen`, {
          hint: 'a process in it hangs in the kernel',
        });
      // On v1 a process that was just being made or moved can stay out until the state is written again.
      if (hierarchy.version === 1 && looks % AGAIN_AFTER === 0) {
        setFrozen(freezer, 'THAWED');
        setFrozen(freezer, 'FROZEN');
      }
      await sleep(LOOK_MS, signal);
    }
  } catch (error) {
    thawCgroup(path, hierarchy);
    throw error;
  }
}

/** Lets the processes of a cgroup run again that somebody froze. No error when there is no such cgroup. */
export function thawCgroup(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): void {
  const freezer = controllerDirectory(hierarchy, 'freezer', path);
  if (freezer === undefined) return;
  if (hierarchy.version === 1) setFrozen(freezer, 'THAWED');
  else setFrozenV2(freezer, '0');
}

/** On cgroup v1. False when there is no such cgroup. */
export function setFrozen(directory: string, state: 'FROZEN' | 'THAWED'): boolean {
  return written(join(directory, 'freezer.state'), state);
}

function setFrozenV2(directory: string, state: '0' | '1'): boolean {
  return written(join(directory, 'cgroup.freeze'), state);
}

/** On v1 a cgroup is FREEZING until the last of its processes stands. */
function standsStill(path: string, freezer: string, hierarchy: CgroupHierarchy): boolean {
  if (hierarchy.version === 2) return cgroupFrozen(path, hierarchy);
  return readFileSync(join(freezer, 'freezer.state'), 'utf8').trim() === 'FROZEN';
}

function written(file: string, text: string): boolean {
  try {
    writeFileSync(file, text);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return false;
    throw error;
  }
}
