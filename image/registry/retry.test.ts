import assert from 'node:assert/strict';
import { backoff, retryAfter } from './retry.ts';
import { DEFAULT_LIMITS } from './transport.ts';

describe('waits between tries', () => {
  it('are what the registry asks for, in seconds or until a date', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    assert.equal(retryAfter('7', now), 7000);
    assert.equal(retryAfter('Thu, 01 Jan 2026 00:00:10 GMT', now), 10_000);
    assert.equal(retryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now), 0);
    assert.equal(retryAfter('soon', now), undefined);
    assert.equal(retryAfter(undefined, now), undefined);
  });

  it('double, with a part of chance, up to a bound', () => {
    const within = (tried: number, middle: number): void => {
      const wait = backoff(tried, DEFAULT_LIMITS);
      assert.ok(wait >= middle * 0.75 && wait <= middle * 1.25, `${tried}: ${wait}`);
    };
    within(1, 250);
    within(3, 1000);
    within(40, DEFAULT_LIMITS.maxBackoff);
  });
});
