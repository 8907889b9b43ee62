import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mounts } from '../native/mountinfo.ts';

/**
 * What the machine's v2 tree hands down at its root is put back at the end: a cgroup below the root has a controller
 * only after the root was told so, and tests of such cgroups run side by side.
 */
export class HandedControllers {
  readonly #file: string | undefined;
  readonly #before: string[];

  constructor() {
    const tree = mounts().find((mount) => mount.fstype === 'cgroup2' && mount.root === '/');
    this.#file = tree === undefined ? undefined : join(tree.target, 'cgroup.subtree_control');
    this.#before = this.#now();
  }

  [Symbol.dispose](): void {
    for (const controller of this.#now())
      if (!this.#before.includes(controller)) writeFileSync(this.#file!, `-${controller}`);
  }

  #now(): string[] {
    return this.#file === undefined ? [] : readFileSync(this.#file, 'latin1').split(/\s+/).filter(Boolean);
  }
}
