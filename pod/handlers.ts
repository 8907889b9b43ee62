import { Fault } from '../ground/fault.ts';
import type { OciRuntime } from './oci-runtime.ts';
import type { HandlerStatus } from './pods.ts';
import type { SandboxMaker } from './sandbox-maker.ts';

/** A runtime handler: an OCI runtime, who makes its sandboxes, and who takes commands into its containers. */
export interface Handler {
  status: HandlerStatus;
  runtime: OciRuntime;
  maker: SandboxMaker;
  exec: 'inprocess' | 'oci';
}

/** The handlers of this node, as they were found at start. */
export class Handlers {
  readonly #byName: Map<string, Handler>;
  readonly #defaultName: string;

  constructor(handlers: Handler[], defaultName: string) {
    this.#byName = new Map(handlers.map((handler) => [handler.status.name, handler]));
    this.#defaultName = defaultName;
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
