import { basename, dirname, join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import type { HostFiles } from './host-files.ts';
import { saveState, type NodeState, type Thing } from './state.ts';

/**
 * What the installer has on the node. A thing is in the state before it is on the node, and what it takes the place of
 * gets a second name beside it first:
 *
 *   nothing there:   --note--> noted --write--> ours --giveBack--> nothing there
 *   something there: --note--> noted --keep--> kept --write--> ours --giveBack--> what was there, the same file
 */
export class Belongings {
  readonly #files: HostFiles;
  readonly #state: NodeState;

  constructor(files: HostFiles, state: NodeState) {
    this.#files = files;
    this.#state = state;
  }

  /** A file with this content. */
  file(path: string, content: string, mode = 0o644): void {
    this.directory(dirname(path));
    this.claim(path, 'file');
    if (this.#files.kind(path) === 'file' && this.#files.read(path) === content) return;
    this.#files.write(path, content, mode);
  }

  /** A symbolic link. */
  link(path: string, target: string): void {
    this.directory(dirname(path));
    this.claim(path, 'link');
    if (this.#files.target(path) !== target) this.#files.link(path, target);
  }

  /** A directory, with its parents; those that are there are not ours. */
  directory(path: string): void {
    if (path === '/' || this.#files.kind(path) !== 'absent') return;
    this.directory(dirname(path));
    this.#note({ path, kind: 'directory' });
    this.#files.makeDirectory(path);
  }

  /** Notes that a path is ours from now on; who makes it does so after this. A directory that is there stays others'. */
  claim(path: string, kind: Thing['kind']): void {
    const known = this.#state.things.find((thing) => thing.path === path);
    const there = this.#files.kind(path);
    if (known === undefined && there === 'directory') {
      // What is below /run is of this boot; the kubelet makes an empty directory there for the pod's own mount.
      const isEmptied = kind === 'tree' && path.startsWith('/run/') && this.#files.list(path).length === 0;
      if (isEmptied) return this.#note({ path, kind });
      if (kind === 'tree' || kind === 'directory') return; // somebody else's, and stays
      throw new Fault('exists', `${path} is a directory on this node`, { hint: 'move it away' });
    }
    const replaced = there === 'absent' ? undefined : 'noted';
    const thing = known ?? { path, kind, ...(replaced === undefined ? {} : { replaced }) };
    if (known === undefined) this.#note(thing);
    if (thing.replaced !== 'noted') return;
    this.#files.keep(path, keptName(path));
    thing.replaced = 'kept';
    this.#save();
  }

  /** Whether a path is ours. */
  has(path: string): boolean {
    return this.#state.things.some((thing) => thing.path === path);
  }

  /** Whether a path is ours, and was somebody else's before. */
  hasReplaced(path: string): boolean {
    return this.#state.things.some((thing) => thing.path === path && thing.replaced !== undefined);
  }

  /** The things of ours, newest first: the order in which they go. */
  newestFirst(): Thing[] {
    return this.#state.things.toReversed();
  }

  /** Takes a thing off the node and puts back what it replaced. Returns what is in the way. */
  giveBack(path: string): string[] {
    const thing = this.#state.things.find((one) => one.path === path);
    if (thing === undefined) return [];
    const others = this.#takeAway(thing);
    this.#state.things = this.#state.things.filter((one) => one !== thing);
    this.#save();
    return others;
  }

  /** A thing is not ours any more: it stays as it is, and what it replaced is forgotten. */
  forget(path: string): void {
    const thing = this.#state.things.find((one) => one.path === path);
    if (thing === undefined) return;
    if (thing.replaced !== undefined) this.#files.remove(keptName(path));
    this.#state.things = this.#state.things.filter((one) => one !== thing);
    this.#save();
  }

  #takeAway({ path, kind, replaced }: Thing): string[] {
    if (replaced !== undefined) {
      // Without its second name it was never touched.
      if (this.#files.kind(keptName(path)) !== 'absent') this.#files.restore(keptName(path), path);
      return [];
    }
    if (kind === 'tree') this.#files.removeTree(path);
    else if (kind === 'directory') return this.#files.removeDirectory(path);
    else this.#files.remove(path);
    return [];
  }

  #note(thing: Thing): void {
    if (this.has(thing.path)) return;
    this.#state.things.push(thing);
    this.#save();
  }

  #save(): void {
    saveState(this.#files, this.#state);
  }
}

/** The second name of what stood at `path`: beside it, on the same file system, where no program looks. */
function keptName(path: string): string {
  return join(dirname(path), `.${basename(path)}.before-berth`);
}
