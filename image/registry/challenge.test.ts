import assert from 'node:assert/strict';
import { parseChallenges } from './challenge.ts';

describe('parseChallenges', () => {
  it('reads a token challenge with commas and escapes in quotes', () => {
    const header =
      'Bearer realm="https://auth.x/token",service="a \\"b\\", c",scope="repository:library/x:pull,push"';
    assert.deepEqual(parseChallenges(header), [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.x/token',
          service: 'a "b", c',
          scope: 'repository:library/x:pull,push',
        },
      },
    ]);
  });

  it('reads several challenges in one header', () => {
    const found = parseChallenges('Basic realm="r" , BEARER realm=https , service = "s"');
    assert.deepEqual(
      found.map(({ scheme, parameters }) => [scheme, parameters]),
      [
        ['basic', { realm: 'r' }],
        ['bearer', { realm: 'https', service: 's' }],
      ],
    );
  });

  for (const header of ['', ',,', '=', 'Bearer realm="open', '"quoted"', 'realm=x', '\u0000']) {
    it(`does not fail on ${JSON.stringify(header)}`, () => {
      for (const { parameters } of parseChallenges(header)) assert.deepEqual(parameters, {});
    });
  }
});
