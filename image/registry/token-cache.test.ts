import assert from 'node:assert/strict';
import { TokenCache } from './token-cache.ts';

describe('the token cache', () => {
  let now = 0;
  const cache = (): TokenCache => new TokenCache(() => now);
  beforeEach(() => (now = 0));

  it('gives a token for most of its life', () => {
    const tokens = cache();
    tokens.put('a', 'Bearer 1', 300);
    now = 239_000;
    assert.equal(tokens.get('a'), 'Bearer 1');
    now = 241_000;
    assert.equal(tokens.get('a'), undefined);
    assert.equal(tokens.size, 0);
  });

  it('trusts neither silence nor eternity', () => {
    const tokens = cache();
    tokens.put('silent', 'Bearer 1', undefined);
    tokens.put('eternal', 'Bearer 2', 1e12);
    now = 50_000;
    assert.equal(tokens.get('silent'), undefined);
    assert.equal(tokens.get('eternal'), 'Bearer 2');
    now = 3_600_000;
    assert.equal(tokens.get('eternal'), undefined);
  });

  it('is bounded; the oldest goes first, a new token takes the place of the old one', () => {
    const tokens = cache();
    for (let i = 0; i < 600; i++) tokens.put(`k${i}`, `Bearer ${i}`, 300);
    assert.equal(tokens.size, 500);
    assert.equal(tokens.get('k99'), undefined);
    assert.equal(tokens.get('k100'), 'Bearer 100');
    tokens.put('k100', 'Bearer new', 300);
    tokens.put('more', 'Bearer more', 300);
    assert.equal(tokens.get('k100'), 'Bearer new');
    tokens.delete('k100');
    assert.equal(tokens.get('k100'), undefined);
  });
});
