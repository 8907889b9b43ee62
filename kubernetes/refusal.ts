import { Fault, messageOf } from '../ground/fault.ts';
import type { ApiAnswer } from './api.ts';
import { textOf } from './lines.ts';

/** An answer that is none. */
export class Refusal extends Fault {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  /** `right`: what the user is allowed to do when the server does not refuse with 401 or 403. */
  constructor(
    status: number,
    message: string,
    { retryAfterMs, right }: { retryAfterMs?: number; right?: string },
  ) {
    super('unavailable', `The API server refuses (${status}): ${message}`, {
      hint: status === 401 || status === 403 ? right : undefined,
    });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Throws Refusal, with what the server says, unless it has answered well. */
export async function refuse({ status, retryAfterMs, body }: ApiAnswer, right?: string): Promise<void> {
  if (status >= 200 && status < 300) return;
  const text = await textOf(body).catch(messageOf);
  let message = text.slice(0, 200);
  try {
    const said = JSON.parse(text) as { message?: unknown };
    if (typeof said.message === 'string') message = said.message.slice(0, 500);
  } catch {
    // Something between us and the server speaks: its text will do.
  }
  throw new Refusal(status, message, { retryAfterMs, right });
}
