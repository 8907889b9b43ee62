import assert from 'node:assert/strict';
import { Tickets, type Ticket } from './ticket.ts';

const TICKET: Ticket = { kind: 'portforward', sandboxId: 's', ports: [] };

describe('streaming: tickets', () => {
  it('are for one use, and for their own kind', () => {
    const tickets = new Tickets();
    const token = tickets.issue(TICKET);
    assert.equal(Buffer.from(token, 'base64url').length, 24);
    assert.equal(tickets.redeem('exec', token), undefined);
    assert.equal(tickets.redeem('portforward', token), TICKET);
    assert.equal(tickets.redeem('portforward', token), undefined);
    assert.equal(tickets.redeem('portforward', ''), undefined);
  });

  it('expire after a minute', () => {
    let now = 0;
    const tickets = new Tickets(() => now);
    const early = tickets.issue(TICKET);
    now = 30_000;
    const late = tickets.issue(TICKET);
    now = 60_001;
    assert.equal(tickets.redeem('portforward', early), undefined);
    assert.equal(tickets.redeem('portforward', late), TICKET);
  });

  it('are a thousand at once, and make room when they expire', () => {
    let now = 0;
    const tickets = new Tickets(() => now);
    const tokens = new Set(Array.from({ length: 1000 }, () => tickets.issue(TICKET)));
    assert.equal(tokens.size, 1000);
    assert.throws(() => tickets.issue(TICKET), { kind: 'exhausted' });
    now = 60_001;
    tickets.issue(TICKET);
  });
});
