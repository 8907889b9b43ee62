import { hash } from 'node:crypto';
import { messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import type { Api, ApiRequest } from '../../kubernetes/api.ts';
import { textOf } from '../../kubernetes/lines.ts';
import { Patience } from '../../kubernetes/patience.ts';
import { Refusal, refuse } from '../../kubernetes/refusal.ts';
import type { Matter } from './matters.ts';
import type { NodeView } from './node-view.ts';

/** In milliseconds, and counts. */
export interface EventBounds {
  /** A matter that goes on is told again after so long: events live for an hour, by the API server's default. */
  repeatMs: number;
  /** Nothing is told again sooner. */
  againMs: number;
  /** Events at once; another one follows after each `refillMs`. */
  burst: number;
  refillMs: number;
  /** Matters that are remembered. */
  remembered: number;
}

/** What is known of a matter that was or will be told. */
interface Told {
  matter: Matter;
  count: number;
  /** By a clock that never jumps. */
  lastMs: number;
  /** Has to be sent: as a new event, or as another observation of it. */
  due: 'new' | 'again' | undefined;
  /** Whether the last look still saw it. */
  present: boolean;
}

/** Events on a Node have no namespace of their own. */
const PATH = '/apis/events.k8s.io/v1/namespaces/default/events';
const ANSWER_MS = 30_000;
const MAX_NOTE_BYTES = 1024;
const RIGHT = 'see deploy/agent/README.md for the rights that the agent needs';

/**
 * Events (events.k8s.io/v1) on the Node, one for each matter however often it is seen: an event's name follows from its
 * matter, so that an agent that was killed, or a second one, does not tell it once more. What is seen again becomes
 * a series. All of them together are rate-limited; what has to wait waits, and is not lost unless there is too much.
 *
 *     (unknown) --seen--> new --POST--> told --seen again, or still after repeatMs--> again --PATCH--> told
 *                          ^                                                            |
 *                          '------------------ 404: it has expired ---------------------'
 */
export class Events {
  readonly #bounds: EventBounds;
  readonly #log: Log;
  readonly #instance: string;
  readonly #told = new Map<string, Told>();
  #node = '';
  #tokens: number;
  #filledMs = 0;

  /** `instance`: which agent it is, for the events' readers. */
  constructor(bounds: EventBounds, instance: string, log: Log) {
    this.#bounds = bounds;
    this.#instance = instance.slice(0, 128) || 'agent';
    this.#log = log;
    this.#tokens = bounds.burst;
  }

  /** What is to be sent still. */
  get due(): number {
    return [...this.#told.values()].filter(({ due }) => due !== undefined).length;
  }

  /** These hold now, and no others. */
  see(matters: readonly Matter[], atMs: number): void {
    const { againMs, repeatMs } = this.#bounds;
    const present = new Set(matters.map(({ key }) => key));
    for (const [key, told] of this.#told) if (!present.has(key)) told.present = false;
    for (const matter of matters) {
      const told = this.#told.get(matter.key);
      if (told === undefined) {
        this.#remember(matter, atMs);
        continue;
      }
      const anew = told.matter.occurrence !== matter.occurrence || !told.present;
      const wait = anew ? againMs : repeatMs;
      // What comes too soon is looked at again with the next look.
      if (atMs - told.lastMs < wait) continue;
      if (!anew && !matter.lasting) continue;
      told.matter = matter;
      told.present = true;
      if (told.due !== undefined) continue;
      told.count++;
      told.due = 'again';
      told.lastMs = atMs;
    }
  }

  /** Sends what is due and may be sent now. Rejects when the server does not answer or asks to be left alone. */
  async send(api: Api, node: NodeView, atMs: number, signal: AbortSignal): Promise<void> {
    // A Node that was made anew has no events yet.
    if (this.#node !== node.uid && this.#node !== '')
      for (const told of this.#told.values()) if (told.present) told.due = 'new';
    this.#node = node.uid;
    this.#refill(atMs);
    for (const [key, told] of this.#told) {
      if (told.due === undefined) continue;
      if (this.#tokens < 1) return;
      this.#tokens--;
      await this.#sendOne(api, node, key, told, signal);
    }
  }

  async #sendOne(api: Api, node: NodeView, key: string, told: Told, signal: AbortSignal): Promise<void> {
    const ask = async (request: ApiRequest): Promise<void> => {
      using patience = new Patience(ANSWER_MS);
      const answer = await api(request, AbortSignal.any([signal, patience.signal]));
      await refuse(answer, RIGHT);
      await textOf(answer.body);
    };
    const name = eventName(node, key);
    try {
      if (told.due === 'again' && !(await seriesGoesOn(ask, name, told.count))) told.due = 'new';
      if (told.due === 'new')
        await ask({ method: 'POST', path: PATH, body: this.#eventOf(node, name, told) });
    } catch (error) {
      if (!(error instanceof Refusal) || ![400, 409, 422].includes(error.status)) throw error;
      // 409: it was told by another agent, or by this one before it was killed.
      if (error.status !== 409)
        this.#log.warn({ event: name, error: messageOf(error) }, 'An event is not taken');
    }
    told.due = undefined;
  }

  #eventOf(node: NodeView, name: string, { matter, count }: Told): object {
    const { type, reason, action, note } = matter;
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace: 'default' },
      eventTime: microTime(),
      reportingController: 'berth.dev/agent',
      reportingInstance: this.#instance,
      type,
      reason,
      action,
      regarding: { apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid },
      note: cut(note, MAX_NOTE_BYTES),
      ...(count > 1 ? { series: { count, lastObservedTime: microTime() } } : {}),
    };
  }

  #remember(matter: Matter, atMs: number): void {
    this.#told.set(matter.key, { matter, count: 1, lastMs: atMs, due: 'new', present: true });
    if (this.#told.size <= this.#bounds.remembered) return;
    const gone = [...this.#told].find(([, { present }]) => !present) ?? [...this.#told][0]!;
    this.#told.delete(gone[0]);
  }

  #refill(atMs: number): void {
    const { burst, refillMs } = this.#bounds;
    const more = Math.floor((atMs - this.#filledMs) / refillMs);
    if (more <= 0) return;
    this.#tokens = Math.min(burst, this.#tokens + more);
    this.#filledMs += more * refillMs;
  }
}

/** A name that all agents give the event of this matter on this Node: a DNS subdomain of at most 253 characters. */
export function eventName(node: Pick<NodeView, 'name' | 'uid'>, key: string): string {
  const digest = hash('sha256', `${node.uid} ${key}`, 'hex').slice(0, 16);
  return `${node.name.slice(0, 200).replace(/[^a-z0-9]+$/, '')}.${digest}`;
}

/** Whether the event is still there; then it was seen `count` times. */
async function seriesGoesOn(
  ask: (request: ApiRequest) => Promise<void>,
  name: string,
  count: number,
): Promise<boolean> {
  try {
    await ask(seriesOf(name, count));
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) return false;
    throw error;
  }
}

function seriesOf(name: string, count: number): ApiRequest {
  return {
    method: 'PATCH',
    path: `${PATH}/${name}`,
    contentType: 'application/merge-patch+json',
    body: { series: { count: Math.max(2, count), lastObservedTime: microTime() } },
  };
}

/** metav1.MicroTime: six digits behind the point, no more and no less. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}

function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  // A character that is cut through becomes a replacement character of three bytes.
  return (
    Buffer.from(text)
      .subarray(0, bytes - 6)
      .toString()
      .replace(/\uFFFD$/, '') + '…'
  );
}
