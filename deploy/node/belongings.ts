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
    this.claim([path], 'file');
    if (this.#files.kind(path) === 'file' && this.#files.read(path) === content) return;
    this.#files.write(path, content, mode);
  }

  /** A symbolic link. */
  link(path: string, target: string): void {
    this.directory(dirname(path));
    this.claim([path], 'link');
    if (this.#files.target(path) !== target) this.#files.link(path, target);
  }

  /** A directory, with its parents; those that are there are not ours. */
  directory(path: string): void {
    const missing: string[] = [];
    for (let at = path; at !== '/' && this.#files.kind(at) === 'absent'; at = dirname(at))
      missing.unshift(at);
    this.#note(missing.filter((one) => !this.has(one)).map((one) => ({ path: one, kind: 'directory' })));
    for (const one of missing) this.#files.makeDirectory(one);
  }

  /** Notes that paths are ours from now on; who makes them does so after this. A directory that is there stays others'. */
  claim(paths: string[], kind: Thing['kind']): void {
    const fresh = paths.filter((path) => !this.has(path)).flatMap((path) => this.#thing(path, kind));
    this.#note(fresh);
    const noted = this.#state.things.filter(
      ({ path, replaced }) => replaced === 'noted' && paths.includes(path),
    );
    if (noted.length === 0) return;
    for (const thing of noted) {
      this.#files.keep(thing.path, keptName(thing.path));
      thing.replaced = 'kept';
    }
    this.#save();
  }

  #thing(path: string, kind: Thing['kind']): Thing[] {
    const there = this.#files.kind(path);
    if (there === 'absent') return [{ path, kind }];
    if (there !== 'directory') return [{ path, kind, replaced: 'noted' }];
    // What is below /run is of this boot; the kubelet makes an empty directory there for the pod's own mount.
    if (kind === 'tree' && path.startsWith('/run/') && this.#files.list(path).length === 0)
      return [{ path, kind }];
    if (kind === 'tree' || kind === 'directory') return []; // somebody else's, and stays
    throw new Fault('exists', `${path} is a directory on this node`, { hint: 'move it away' });
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

  #note(things: Thing[]): void {
    if (things.length === 0) return;
    this.#state.things.push(...things);
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
