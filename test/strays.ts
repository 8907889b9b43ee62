import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { killProcess, processesOf, processOf } from './node-processes.ts';
import { membersBelow, removeCgroups, thawBelow } from './node-space.ts';

/*
 * What a killed test run leaves: a node's processes, cgroups and directory. Each directory of ours names the process
 * that made it; when that one is gone, nobody will clean up but the next run.
 */

const OWNER = 'owner';

/** Notes in `directory` that this process takes it away. */
export function ownDirectory(directory: string): void {
  writeFileSync(join(directory, OWNER), `${process.pid} ${processOf(process.pid)!.startTime}`);
}

/** Removes all that earlier runs left on this machine. Returns the directories that were removed. */
export async function sweepStrays(): Promise<string[]> {
  const strays = readdirSync('/tmp')
    .map((name) => join('/tmp', name))
    .filter((path) => /\/berth-[\w-]+$/.test(path) && isStray(path));
  for (const directory of strays) {
    await sweepNode(directory);
    rmSync(directory, { recursive: true, force: true });
  }
  return strays;
}

function isStray(directory: string): boolean {
  const file = join(directory, OWNER);
  if (!existsSync(file)) return false;
  const [pid, startTime] = readFileSync(file, 'utf8').split(' ');
  return processOf(Number(pid))?.startTime !== startTime;
}

async function sweepNode(directory: string): Promise<void> {
  const name = /berth-([0-9a-f]{6})\w{6}$/.exec(directory)?.[1];
  if (name === undefined) return;
  const cgroupParent = `/berth-test-${name}`;
  for (let tries = 0; tries < 100; tries++) {
    thawBelow(cgroupParent);
    const members = membersBelow(cgroupParent).map(processOf);
    const left = [...processesOf({ holder: 0, directory, cgroupParent }), ...members];
    if (left.every((process) => process === undefined)) break;
    for (const process of left) if (process !== undefined) killProcess(process);
    await sleep(30);
  }
  removeCgroups(cgroupParent);
}
