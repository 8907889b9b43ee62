import { Fault } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { OciRuntime } from './oci-runtime.ts';
import type { HandlerStatus } from './pods.ts';
import type { SandboxMaker } from './sandbox-maker.ts';
import type { PodSettings } from './settings.ts';

/** A runtime handler: an OCI runtime, who makes its sandboxes, and who takes commands into its containers. */
export interface Handler {
  status: HandlerStatus;
  runtime: OciRuntime;
  maker: SandboxMaker;
  exec: 'inprocess' | 'oci';
}

/** The handlers of this node. */
export class Handlers {
  readonly #byName: Map<string, Handler>;
  #defaultName = '';
  #trial: (() => Promise<void>) | undefined;
  #trying: Promise<void> | undefined;

  /** `trial` tries those out that are not known yet, and then chooses the default; it does not reject. */
  constructor(handlers: Handler[], trial?: () => Promise<void>) {
    this.#trial = trial;
    this.#byName = new Map(handlers.map((handler) => [handler.status.name, handler]));
  }

  /** Settles when all are tried and the default is chosen; `pick` answers from then on. The first call begins it. */
  tried(): Promise<void> {
    this.#trying ??= this.#trial?.() ?? Promise.resolve();
    return this.#trying;
  }

  /** Lets a trial that runs come to its end, and begins none. */
  async close(): Promise<void> {
    this.#trial = undefined;
    await this.#trying;
  }

  /** Takes the configured default when it works or was named on purpose; else the first that works. */
  choose({ defaultHandler, defaultHandlerNamed }: PodSettings, log: Log): void {
    const all = this.list();
    const wanted = all.find(({ name }) => name === defaultHandler);
    const chosen =
      wanted?.usable === true || defaultHandlerNamed ? wanted : (all.find(({ usable }) => usable) ?? wanted);
    for (const { name, usable, reason } of all)
      if (!usable) log.warn({ handler: name, reason }, 'handler cannot be used on this host');
    if (chosen !== undefined && chosen !== wanted)
      log.warn({ handler: chosen.name, instead: defaultHandler }, 'taking another default handler');
    if (chosen !== undefined) chosen.isDefault = true;
    this.#defaultName = chosen?.name ?? defaultHandler;
    const usable = all.flatMap((one) => (one.usable ? [one.name] : []));
    log.info({ usable, default: this.#defaultName }, 'The runtime handlers are known');
  }

  list(): HandlerStatus[] {
    return [...this.#byName.values()].map(({ status }) => status);
  }

  /** The handler of that name, the default for an empty one. Throws `invalid` for an unknown or unusable one. */
  pick(name: string): Handler {
    const handler = this.#byName.get(name === '' ? this.#defaultName : name);
    if (handler === undefined) {
      const known = [...this.#byName.keys()].join(', ');
      throw new Fault('invalid', `There is no runtime handler ${JSON.stringify(name)} on this node`, {
        hint: `it has ${known || 'none'}; others are added under [runtime.handlers] in the configuration`,
      });
    }
    if (!handler.status.usable) {
      throw new Fault('precondition', `The runtime handler ${handler.status.name} cannot be used here`, {
        hint: handler.status.reason,
      });
    }
    return handler;
  }

  /** The handler that an existing object was made with, usable or not: for undoing. */
  get(name: string): Handler | undefined {
    return this.#byName.get(name);
  }
}
