import { Fault } from '../ground/fault.ts';
import { waitOrAbort } from '../ground/wait.ts';

/** An object that already carries the wanted name. */
export interface Holder {
  id: string;
  /** Whether nobody has got its id so far: the next call with this name gets it. */
  adoptable: boolean;
}

interface Running {
  result: Promise<string>;
  callers: number;
}

/**
 * Joinable creates. One name has at most one create running; a second call with that name joins it and gets the same
 * id. The work belongs to no caller: it goes on when all callers have left, and `abandoned` hears of an id that nobody
 * waited for (kubernetes clients retry with the same name after a timeout: containerd#4604 and its kin).
 */
export class Reservations {
  readonly #running = new Map<string, Running>();

  /**
   * The id of the object called `name`: from the running create, from an adoptable holder, or from `work`.
   * Throws `exists` when the name is taken by an object whose id somebody has.
   */
  async create(
    name: string,
    holder: () => Holder | undefined,
    work: () => Promise<string>,
    abandoned: (id: string) => void,
    signal?: AbortSignal,
  ): Promise<string> {
    signal?.throwIfAborted();
    const running = this.#running.get(name) ?? this.#begin(name, holder, work, abandoned);
    if (typeof running === 'string') return running;
    running.callers++;
    const leave = (): void => void running.callers--;
    signal?.addEventListener('abort', leave, { once: true });
    try {
      return await waitOrAbort(running.result, signal);
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  #begin(
    name: string,
    holder: () => Holder | undefined,
    work: () => Promise<string>,
    abandoned: (id: string) => void,
  ): Running | string {
    const held = holder();
    if (held?.adoptable === true) return held.id;
    if (held !== undefined) {
      throw new Fault('exists', `The name ${name} is taken by ${held.id}`, {
        hint: 'remove that one first, or use the next attempt number',
      });
    }
    const running: Running = { result: work(), callers: 0 };
    this.#running.set(name, running);
    running.result.then(
      (id) => {
        this.#running.delete(name);
        if (running.callers === 0) abandoned(id);
      },
      () => void this.#running.delete(name),
    );
    return running;
  }
}
